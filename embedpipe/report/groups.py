"""The rows of a comparison, divided into groups in which the choices compete: one encoder, context and head."""

from __future__ import annotations

from dataclasses import dataclass

from embedpipe.experiment.results import ChoiceInfo, Paired, Results, Row, RunResult, Timings
from embedpipe.report.names import layers_text, spaced
from embedpipe.report.numbers import NOTHING


@dataclass(frozen=True)
class Line:
    """A row with all that is known about it.

    :param runs: One a seed.
    :param seconds: Mean of the training times of its runs.
    :param paper_score: The paper's, also of the learned reading of one of its choices.
    :param paired: The comparison with the best of its group, where there is one.
    """

    row: Row
    choice: ChoiceInfo
    runs: tuple[RunResult, ...]
    seconds: float | None
    paper_score: float | None
    paired: Paired | None

    @property
    def is_reference(self) -> bool:
        """Whether the encoder itself was trained, so that there are no vectors to keep."""
        return self.choice.kind == "fine_tuned"

    def has_vectors_of(self, other: Line) -> bool:
        """Whether it is the same layer under another name, as ``last`` and ``layer_12`` are."""
        same = (self.choice.layer, self.row.pooling) == (other.choice.layer, other.row.pooling)
        return self is other or (self.choice.layer is not None and same)

    @property
    def layers_text(self) -> str:
        """``layers 9–12``, ``layer 12``; nothing where the name says it."""
        if self.is_reference or self.choice.name == f"layer_{self.choice.layer}":
            return ""
        return f"{'layer' if len(self.choice.layers) == 1 else 'layers'} {layers_text(self.choice.layers)}"

    @property
    def paper_text(self) -> str:
        """The paper's F1, in percent whether it was kept so or as a part of one."""
        score = self.paper_score
        return NOTHING if score is None else f"{score if score > 1 else 100 * score:.1f}"


@dataclass(frozen=True)
class Group:
    """Choices that compete.

    :param lines: Of frozen vectors, in the order of the table.
    :param references: Fine-tuned encoders, which do not compete.
    :param poolings: More than one where poolings compete, too.
    """

    encoder: str
    context: str
    head: str
    lines: tuple[Line, ...]
    references: tuple[Line, ...]
    best: Line
    poolings: frozenset[str]

    @property
    def tied(self) -> tuple[Line, ...]:
        """Frozen lines that are not told apart from the best one, best first; none has the vectors of another."""
        tied: list[Line] = []
        for line in sorted(self.lines, key=lambda line: -line.row.mean):
            known = any(line.has_vectors_of(other) for other in (self.best, *tied))
            if not known and line.row.best and not line.is_reference:
                tied.append(line)
        return tuple(tied)

    @property
    def smallest(self) -> Line:
        """Of the best line and those not told apart from it, the one that takes the least disk."""
        return min((self.best, *self.tied), key=lambda line: (line.choice.bytes_per_row, -line.row.mean))

    def label(self, line: Line) -> str:
        """``sum last four``; with its pooling where poolings compete."""
        name = spaced(line.choice.name)
        return f"{name}, {line.row.pooling}" if len(self.poolings) > 1 and not line.is_reference else name


def groups_of(results: Results, timings: Timings) -> tuple[Group, ...]:
    """All groups, in the order of the rows. A fine-tuned row joins every group of its encoder and context."""
    rows: dict[tuple[str, str, str], list[Row]] = {}
    references: dict[tuple[str, str], list[Row]] = {}
    for row in results.rows:
        if _choice(results, row).kind == "fine_tuned":
            references.setdefault((row.encoder, row.context), []).append(row)
        else:
            rows.setdefault((row.encoder, row.context, row.head), []).append(row)
    for (encoder, context), alone in references.items():
        if not any(key[:2] == (encoder, context) for key in rows):
            rows[encoder, context, alone[0].head] = alone
    return tuple(
        _group(results, timings, key, members, references.get(key[:2], []) if references.get(key[:2]) is not members else [])
        for key, members in rows.items()
    )


def without_repeats(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Single layers, each once, though ``last`` and ``layer_12`` may both be there; by layer."""
    by_layer = {(line.row.pooling, line.choice.layer): line for line in lines if line.choice.layer is not None}
    return tuple(line for _, line in sorted(by_layer.items(), key=lambda item: (item[0][0], item[0][1] or 0)))


def other_metrics(group: Group) -> list[str]:
    """Those that stand beside the main one; conlleval's F1 only where its reading of stray tags makes a difference."""
    rows = [line.row for line in (*group.lines, *group.references)]
    beside = [metric for metric in ("token_f1", "macro_f1") if any(metric in row.other for row in rows)]
    lenient = any(abs(row.other.get("conlleval_f1", row.mean) - row.mean) >= 0.0005 for row in rows)
    return ["conlleval_f1", *beside] if lenient else beside


def title(group: Group, groups: tuple[Group, ...]) -> str:
    """What sets a group apart from the others: ``mpnet, linear``; the encoder alone where nothing does."""
    differs = {
        "context": len({other.context for other in groups}) > 1,
        "head": len({other.head for other in groups}) > 1,
    }
    parts = [group.encoder, *([spaced(group.context)] if differs["context"] else [])]
    return ", ".join([*parts, *([spaced(group.head)] if differs["head"] else [])])


def _group(results: Results, timings: Timings, key: tuple[str, str, str], rows: list[Row], references: list[Row]) -> Group:
    best_row = max(rows, key=lambda row: row.mean)
    lines = tuple(_line(results, timings, row, best_row) for row in rows)
    return Group(
        *key,
        lines=lines,
        references=tuple(_line(results, timings, row, best_row) for row in references),
        best=lines[rows.index(best_row)],
        poolings=frozenset(row.pooling for row in rows),
    )


def _line(results: Results, timings: Timings, row: Row, best: Row) -> Line:
    where = (row.encoder, row.context, row.pooling, row.choice, row.head)
    runs = tuple(run for run in results.runs if (run.encoder, run.context, run.pooling, run.choice, run.head) == where)
    took = [timings.training[run.key] for run in runs if run.key in timings.training]
    seconds = sum(took) / len(took) if took else None
    choice = _choice(results, row)
    readings = (other.paper_score for other in results.choices[row.encoder] if other.name == choice.learned_reading_of)
    paper_score = choice.paper_score if choice.paper_score is not None else next(readings, None)
    return Line(row, choice, runs, seconds, paper_score, None if row is best else _paired(results, row, best))


def _paired(results: Results, row: Row, best: Row) -> Paired | None:
    if row.pooling != best.pooling:
        return None  # pairs are made within a pooling
    for paired in results.paired:
        same = (paired.encoder, paired.context, paired.pooling, paired.head) == (
            row.encoder,
            row.context,
            row.pooling,
            row.head,
        )
        if same and (paired.choice, paired.against) == (row.choice, best.choice):
            return paired
    return None


def _choice(results: Results, row: Row) -> ChoiceInfo:
    return next(choice for choice in results.choices[row.encoder] if choice.name == row.choice)
