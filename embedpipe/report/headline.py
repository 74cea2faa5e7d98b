"""The answer in words: which vectors are best, what is as good, what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from embedpipe.experiment.results import Results
from embedpipe.report.groups import Group, Line, title
from embedpipe.report.names import baseline_name, in_a_sentence, metric_name, task_name, unit_of
from embedpipe.report.numbers import counted, difference, in_words, listed, percent, plus_minus, times

_NAMED = 4


@dataclass(frozen=True)
class Headline:
    """What stands at the top.

    :param lead: One sentence.
    :param more: Further ones.
    """

    lead: str
    more: tuple[str, ...]


def main_group(groups: tuple[Group, ...]) -> Group | None:
    """The one with the best score of all."""
    return max(groups, key=lambda group: group.best.row.mean, default=None)


def headline(results: Results, groups: tuple[Group, ...]) -> Headline:
    """Answer for the best group; the others are in the table of answers."""
    group = main_group(groups)
    if group is None:
        return Headline("The comparison has no rows.", ())
    metric, best = metric_name(results.metric), group.best
    score = f"{plus_minus(best.row.mean, best.row.sd, best.row.num_seeds)} {metric}"
    where = f" ({title(group, groups)})" if len(groups) > 1 else ""
    if len(group.lines) == 1:
        lead = f"{_capital(_named(group, best))} reaches {score}{where}; nothing was compared with it."
    else:
        lead = f"{_capital(_named(group, best))} is best: {score}{where}."
    said = [
        _not_told_apart(group),
        _over_seeds(group),
        _cost(results, group),
        _tuned(group),
        without_vectors(results),
        _by_dev(group, metric),
        _seeds(group),
    ]
    return Headline(lead, tuple(sentence for sentence in said if sentence))


def answers(groups: tuple[Group, ...]) -> tuple[tuple[str, ...], ...]:
    """A line a group: where, its best choice, the score, the smallest that is as good, how many others are, fine-tuned."""
    return tuple(
        (
            title(group, groups),
            group.label(group.best),
            plus_minus(group.best.row.mean, group.best.row.sd, group.best.row.num_seeds),
            f"{group.label(group.smallest)} ({percent(group.smallest.row.mean)})",
            counted(len(group.tied), "others") if group.tied else "none",
            percent(group.references[0].row.mean if group.references else None),
        )
        for group in groups
    )


def without_vectors(results: Results) -> str:
    """What is reached by guessing; nothing where there are no such figures."""
    reached = [
        f"{baseline_name(baseline.name)} in the training sentences reaches {percent(baseline.test[results.metric])}"
        for baseline in results.baselines
        if results.metric in baseline.test
    ]
    return f"Without vectors, {listed(reached)}." if reached else ""


def subject(results: Results) -> str:
    """What was compared: ``named entities (ner), 2 encoders, 13–20 choices of vectors, 5 seeds, 400 test sentences``."""
    label = results.task.get("label")
    numbers = sorted({len([c for c in choices if c.kind != "fine_tuned"]) for choices in results.choices.values()})
    seeds = max((row.num_seeds for row in results.rows), default=0)
    test = next((split for split in results.splits if split.name == "test"), None)
    parts = [
        task_name(results.task) + (f" ({label})" if label else ""),
        counted(len(results.encoders), "encoders"),
        "–".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))
        + (" choices" if numbers[-1] > 1 else " choice")
        + " of vectors",
        counted(seeds, "seeds"),
        *([counted(test.num_sentences, "sentences") + " to test on"] if test else []),
    ]
    return _capital(", ".join(parts)) + "."


def _named(group: Group, line: Line) -> str:
    words = in_a_sentence(line.choice)
    return f"{words} ({line.row.pooling} pooling)" if len(group.poolings) > 1 else words


def _not_told_apart(group: Group) -> str:
    if len(group.lines) == 1:
        return ""
    tied = [_named(group, line) for line in group.tied]
    if not tied:
        return "Each other choice is worse, and told apart from it (paired bootstrap over test sentences, p\u00a0<\u00a00.05)."
    return f"Not told apart from it: {listed(tied, _NAMED)} (paired bootstrap over test sentences, p\u00a0≥\u00a00.05)."


def _over_seeds(group: Group) -> str:
    """What the test over sentences does not see: that other seeds might turn the order round."""
    best = group.best
    near = [
        line for line in group.lines if not line.row.best and not line.has_vectors_of(best) and line.row.high >= best.row.low
    ]
    if not near or best.row.num_seeds < 2:
        return ""
    several = len(near) > 1
    intervals = (
        f"intervals of {len(near)} of the worse choices reach" if several else f"interval of {_named(group, near[0])} reaches"
    )
    return f"That is over sentences; over seeds, the 95\u00a0% {intervals} into its own: more seeds would tell."


def _cost(results: Results, group: Group) -> str:
    """What the best one takes beside the smallest that is as good, or beside the smallest of all."""
    unit, best = unit_of(results.task), group.best
    least = min(line.choice.bytes_per_row for line in group.lines)
    takes = f"It costs {best.choice.bytes_per_row:,} bytes a {unit}"
    smaller = group.smallest
    if smaller.choice.bytes_per_row < best.choice.bytes_per_row:
        ratio = times(best.choice.bytes_per_row / smaller.choice.bytes_per_row)
        return f"{takes}, {ratio} as much as {_named(group, smaller)}, which is as good as far as this test can tell."
    if best.choice.bytes_per_row > least:
        return f"{takes}, {times(best.choice.bytes_per_row / least)} as much as the smallest vectors."
    return f"{takes}; no choice takes less." if len(group.lines) > 1 else f"{takes}."


def _tuned(group: Group) -> str:
    if not group.references:
        return ""
    row = group.references[0].row
    apart = row.mean - group.best.row.mean
    beside = "as much" if percent(apart) == "0.0" else f"{difference(apart)} points"
    return f"Fine-tuning the encoder reaches {plus_minus(row.mean, row.sd, row.num_seeds)} ({beside})."


def _by_dev(group: Group, metric: str) -> str:
    """The test sentences must not choose: what the development sentences would have chosen."""
    if len(group.lines) == 1:
        return ""
    chosen = max(group.lines, key=lambda line: line.row.dev_mean)
    if chosen.has_vectors_of(group.best):
        return "The development sentences choose the same one."
    score = f"{percent(chosen.row.mean)} {metric}"
    return f"The development sentences would have chosen {_named(group, chosen)} ({score} on the test sentences)."


def _seeds(group: Group) -> str:
    seeds = group.best.row.num_seeds
    if seeds == 1:
        return "One seed: nothing is known about the spread over seeds."
    return f"± is the standard deviation over {in_words(seeds)} seeds."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
