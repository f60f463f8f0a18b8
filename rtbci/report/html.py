"""The page: one file that loads nothing, readable on a phone and in print."""

from __future__ import annotations

from markupsafe import Markup

from rtbci.report.contents import Contents, Table
from rtbci.report.figures import curve_figure, montage_figure, png, reliability_figure, strip_figure, strip_title


def page(contents: Contents) -> str:
    """The report as HTML; whatever comes from files is escaped."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(loader=PackageLoader("rtbci", "report"), autoescape=select_autoescape(default=True))
    evaluation = contents.evaluation
    return environment.get_template("page.html.j2").render(
        contents=contents,
        limits=contents.limits(),
        headline=contents.headline(),
        tables=[one for one in contents.tables() if one.rows],
        table=_table,
        curve=png(curve_figure(evaluation.curve, evaluation.threshold)),
        reliability=png(reliability_figure(evaluation.calibration)),
        montage=png(montage_figure(contents.pipeline.channels)),
        strips=((strip_title(strip), png(strip_figure(strip))) for strip in contents.strips),
    )


def _table(one: Table) -> Markup:
    cell, head = Markup("<td>{}</td>"), Markup("<th>{}</th>")
    rows = Markup("").join(Markup("<tr>{}</tr>").format(Markup("").join(map(cell.format, row))) for row in one.rows)
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        Markup("").join(map(head.format, one.head)), rows
    )
