"""The figures: one file a kind. Each gives its drawing together with the numbers behind it."""
