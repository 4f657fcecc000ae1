"""The report as one page that needs nothing but a browser: no script, no font, no request leaves it."""

import html

from . import metrics, trial_images
from .charts import Bar, Stage, bars, pipeline

__all__ = ["page"]

_KINDS = {
    "binarize": "pixels to bits",
    "conv2d": "convolution",
    "dense": "dense",
    "maxpool": "max pooling",
    "sumpool": "sum pooling",
    "lookup": "pixels to numbers",
    "scores": "dense, scores",
    "threshold": "thresholds",
    "fork": "shortcut begins",
    "add": "shortcut ends",
}
_GIVES = {"scores": "scores", "sumpool": "sums", "add": "sums", "fork": "elements", "lookup": "numbers"}
_RESOURCES = {"lut": "LUT", "ff": "flip-flops", "bram": "block RAM", "spram": "SPRAM", "dsp": "DSP"}

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #ffffff; --ink: #1d1c1a; --ink-2: #6d6a63;
  --line: #e3dfd6; --track: #ece8df; --fill: #12766b; --slow: #c2650c; --bad: #b3261e; --ok: #e3f1ec;
  --warn: #f8ecd9; --fail: #f9e1de; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #15171a; --card: #1c1f23; --ink: #e9e6df; --ink-2: #9b978e;
  --line: #30343a; --track: #2b2f35; --fill: #3cb8a6; --slow: #f0a04b; --bad: #f2857b; --ok: #16302b;
  --warn: #38290f; --fail: #3d1a17; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 "Inter", "Segoe UI", system-ui,
  -apple-system, "Helvetica Neue", Arial, sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1080px; margin: 0 auto; padding: 48px 28px 64px; }
.eyebrow { margin: 0; color: var(--ink-2); font-size: 13px; letter-spacing: .08em; text-transform: uppercase; }
h1 { margin: 6px 0 4px; font-size: 42px; line-height: 1.1; letter-spacing: -.02em; font-weight: 680; }
h1 span { color: var(--ink-2); font-weight: 400; }
.lede { margin: 0; color: var(--ink-2); font-size: 18px; }
h2 { margin: 52px 0 4px; font-size: 20px; letter-spacing: -.01em; }
h3 { margin: 0 0 10px; font-size: 15px; font-weight: 600; }
.hint { margin: 0 0 16px; color: var(--ink-2); font-size: 14px; max-width: 76ch; }
.verdict { display: flex; gap: 14px; align-items: baseline; margin: 28px 0 0; padding: 14px 18px; border-radius: 10px;
  background: var(--ok); } .verdict.open { background: var(--warn); } .verdict.bad { background: var(--fail); }
.verdict b { font-size: 17px; white-space: nowrap; }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 1px; margin: 18px 0 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.tiles div { background: var(--card); padding: 15px 16px; } .tiles dt { color: var(--ink-2); font-size: 13px; }
.tiles dd { margin: 2px 0 0; font-size: 24px; font-weight: 640; letter-spacing: -.01em; white-space: nowrap; }
.tiles dd small { font-size: 14px; font-weight: 400; color: var(--ink-2); }
.tiles p { margin: 0; font-size: 13px; color: var(--ink-2); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; }
.two { display: grid; align-items: start; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 18px; }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; height: auto; overflow: visible; font-family: inherit; }
svg text { fill: var(--ink); } .m { font-size: 13px; } .s { font-size: 11.5px; } .xs { font-size: 10.5px; }
svg .bold { font-weight: 640; } svg .dim { fill: var(--ink-2); }
.box { fill: var(--paper); stroke: var(--line); stroke-width: 1.2; } .slow { stroke: var(--slow); }
.cell, .fill { fill: var(--fill); } .cell-slow, .fill-slow { fill: var(--slow); } .fill-bad { fill: var(--bad); }
.cell-dim { fill: var(--ink-2); opacity: .55; } .track { fill: var(--track); } .tick { fill: var(--ink); }
.wire { stroke: var(--ink-2); stroke-width: 1.3; fill: none; } .ink-2 { fill: var(--ink-2); }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; color: var(--ink-2); font-weight: 500; font-size: 13px; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; } .r { text-align: right; }
code { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
.ledger { display: flex; flex-wrap: wrap; align-items: stretch; gap: 10px; }
.ledger .rung { flex: 1 1 150px; } .ledger .rung dd { margin: 2px 0; font-size: 28px; font-weight: 640; }
.ledger .rung dt { font-weight: 600; } .ledger .rung p { margin: 0; font-size: 13px; color: var(--ink-2); }
.ledger .join { align-self: center; text-align: center; color: var(--ink-2); font-size: 13px; min-width: 44px; }
.ledger .join b { display: block; font-size: 24px; line-height: 1; color: var(--fill); }
.ledger .join.step b { color: var(--ink-2); }
.status { white-space: nowrap; font-weight: 600; } .status.ok { color: var(--fill); } .status.bad { color: var(--bad); }
.status.open { color: var(--slow); } .dim { color: var(--ink-2); } ul { margin: 0; padding-left: 20px; font-size: 14px; }
.confusion { width: auto; } .confusion th, .confusion td { padding: 5px 8px; text-align: center; min-width: 38px;
  border: 2px solid var(--card); border-radius: 6px; } .confusion .r { text-align: right; } .confusion .none { color: var(--ink-2); opacity: .5; }
.confusion .sum { padding-left: 20px; } .confusion tr:last-child td, .confusion tr:last-child th { color: var(--ink-2); }
footer { margin-top: 52px; color: var(--ink-2); font-size: 13px; }
@media (max-width: 1000px) { .tiles { grid-template-columns: repeat(3, 1fr); } }
@media (max-width: 560px) { .tiles { grid-template-columns: repeat(2, 1fr); } main { padding: 24px 14px; }
  h1 { font-size: 32px; } .verdict { flex-direction: column; gap: 2px; } }
@media print { :root { color-scheme: light; --paper: #fff; } body { font-size: 12px; } main { padding: 0; max-width: none; }
  svg { min-width: 0 !important; } .scroll { overflow: visible; } h2 { break-after: avoid; margin-top: 26px; }
  .two { grid-template-columns: 1fr 1fr; } .card { padding: 12px 14px; } .card, .tiles, .verdict { break-inside: avoid; }
  .ledger { flex-wrap: nowrap; } .ledger .rung { flex-basis: 0; } .ledger .rung dd { font-size: 20px; }
  th, td { padding: 4px 8px 4px 0; } table { font-size: 11px; } code { font-size: 9px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def page(report, *, ledger=None, proofs=None):
    """The whole page.

    Parameters
    ----------
    report : dict
        As `sbgen.report.assemble` gives it and report.json holds it.
    ledger, proofs : dict or None
        What `sbgen verify` and `sbgen prove` have found of the same build, as ledger.json and proofs.json
        hold it.

    Returns
    -------
    str
        HTML with everything inline. Equal reports give equal text.
    """
    name = report["network"]["name"]
    body = "\n".join(
        (
            _header(report),
            _verdict(report),
            _tiles(report),
            _pipeline(report),
            _layers(report),
            _resources(report),
            _accuracy(report),
            _confusion(report),
            _timing(report),
            *([_ledger(ledger)] if ledger else []),
            *([_proofs(proofs)] if proofs else []),
            _provenance(
                report, [name for name, found in (("ledger.json", ledger), ("proofs.json", proofs)) if found]
            ),
        )
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_esc(name)} on {_esc(report['board'].rpartition(':')[2])} - sbgen"
        f" report</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _esc(value):
    return html.escape(str(value))


def _count(value, noun):
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def _shape(shape):
    return "×".join(f"{size:,}" for size in shape)


def _percent(part):
    return "–" if part is None else f"{100 * part:.2f} %"


def _rate(value):
    """Images per second with four digits that matter."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _time(seconds):
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g}", unit
    return f"{seconds * 1e9:.3g}", "ns"


def _header(report):
    network = report["network"]
    shapes = [
        network["image_shape"],
        *(layer["output_shape"] for layer in report["model"]["layers"] if layer["kind"] != "binarize"),
    ]
    chain = " → ".join(_shape(shape) for shape in shapes)
    return (
        f'<header><p class="eyebrow">sbgen {_esc(report["sbgen"])} · build report</p>'
        f"<h1>{_esc(network['name'])} <span>on {_esc(report['board'].rpartition(':')[2])}</span></h1>"
        f'<p class="lede">{_esc(chain)} ·'
        f" {_count(network.get('weights', network['weight_bits']), 'weight')} · "
        f"{_esc(report['device'])} at {report['timing']['clock_mhz']:g} MHz</p></header>"
    )


def _images(report):
    """What the network was tried on; reports of before this was written down had test sets or random images."""
    told = report["accuracy"]
    return report.get("images") or {
        "source": trial_images.TEST_SET if told["dataset"] else trial_images.RANDOM,
        "name": told["dataset"],
        "sha256": None,
        "count": told["images"] or 0,
        "note": "",
    }


def _verdict(report):
    verdict = report["verdict"]
    if verdict["status"] == "exact":
        kind = _esc(trial_images.kind(_images(report)["source"]))
        noun = kind if verdict["images"] != 1 else kind.removesuffix("s")
        return (
            f'<p class="verdict"><b>✓ Exact</b><span>{verdict["images"]:,} {noun} ran through the '
            f"emitted Verilog in {_esc(verdict['simulator'])}. All {_count(verdict['scores'], 'score')} equal"
            " the "
            f"reference, and so does every class.</span></p>"
        )
    return f'<p class="verdict open"><b>Not simulated</b><span>{_esc(verdict["reason"])}</span></p>'


def _tiles(report):
    timing, accuracy, images = report["timing"], report["accuracy"], _images(report)
    latency, unit = _time(timing["latency_cycles"] / timing["clock_mhz"] / 1e6)
    shown = accuracy["integer"] if accuracy["integer"] is not None else accuracy["rtl"]
    tiles = [
        (
            "Images a second",
            _rate(timing["images_per_second"]),
            "",
            f"core · {_count(timing['cycles_per_image'], 'cycle')}",
        ),
        ("Latency", latency, unit, _count(timing["latency_cycles"], "cycle")),
        (
            "Accuracy, integer",
            *(_percent(shown).split(" ") if shown is not None else ("–", "")),
            _esc(
                images["name"]
                if shown is not None
                else trial_images.RANDOM
                if images["source"] == trial_images.RANDOM
                else "no labels"
            ),
        ),
        (
            "Clock",
            f"{timing['clock_mhz']:g}",
            "MHz",
            "not placed" if timing["fmax_mhz"] is None else f"Fmax {timing['fmax_mhz']:.1f} MHz",
        ),
    ]
    for key in ("lut", "bram"):
        entry = report["resources"][key]
        used = entry["used"] if entry["used"] is not None else report["estimate"][key]
        tiles.append(
            (
                _RESOURCES[key] if key == "bram" else "LUT",
                f"{used:,}",
                f"of {entry['available']:,}",
                ("estimated, " if entry["used"] is None else "") + f"{100 * used / entry['available']:.0f} %",
            )
        )
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{title}</dt><dd>{value} <small>{unit}</small></dd><p>{note}</p></div>"
            for title, value, unit, note in tiles
        )
        + "</dl>"
    )


def _pipeline(report):
    layers = report["model"]["layers"]
    interval = max(report["timing"]["cycles_per_image"], 1)
    slowest = max(layer["cycles"] for layer in layers)
    stages = []
    for layer in layers:
        if layer["weight_bits"]:
            lanes, folding = (layer["pe"], layer["simd"]), f"{layer['pe']:,} PE × {layer['simd']:,} SIMD"
        else:
            # Thermometer bits stand under their pixel, a pooled channel alone.
            lanes = layer["pe"] // layer["simd"], layer["simd"]
            folding = (
                _count(layer["simd"], "pixel" if layer["kind"] == "binarize" else "channel") + " a cycle"
            )
        stages.append(
            Stage(
                name=layer["name"],
                kind=_KINDS.get(layer["kind"], layer["kind"]),
                lanes=lanes,
                lines=(
                    folding,
                    f"{_shape(layer['input_shape'])} → {_shape(layer['output_shape'])}",
                    _count(layer["cycles"], "cycle"),
                ),
                share=layer["cycles"] / interval,
                slowest=layer["cycles"] == slowest,
                gives=f"{layer['outputs']:,} " + _GIVES.get(layer["kind"], "bits"),
            )
        )
    return (
        '<h2>Pipeline</h2><p class="hint">Every square works in every cycle: rows are outputs at once (PE),'
        " columns inputs at once (SIMD); at most 16 × 32 are drawn. The strip below tells how much of the"
        ' interval a stage is at work; what sets the interval is marked.</p><div class="card scroll">'
        + pipeline(report["network"]["image_shape"], stages, "class")
        + "</div>"
    )


def _layers(report):
    layers = report["model"]["layers"]
    slowest = max(layer["cycles"] for layer in layers)
    cycles = bars(
        "Cycles an image, by layer",
        [
            Bar(
                label=layer["name"],
                value=layer["cycles"],
                text=f"{layer['cycles']:,}",
                strong=layer["cycles"] == slowest,
            )
            for layer in layers
        ],
    )
    memory = bars(
        "Bits of weights, by layer",
        [
            Bar(
                label=layer["name"],
                value=layer["weight_bits"],
                text=f"{layer['weight_bits']:,} · {layer['store']}" if layer["weight_bits"] else "none",
            )
            for layer in layers
        ],
    )
    rows = "".join(
        f"<tr><td>{_esc(layer['name'])}</td><td>{_esc(layer['kind'])}</td>"
        f"<td>{_shape(layer['input_shape'])} → {_shape(layer['output_shape'])}</td>"
        + "".join(f'<td class="r">{layer[key]:,}</td>' for key in ("pe", "simd", "cycles", "weight_bits"))
        + f"<td>{_esc(layer['store'])}</td></tr>"
        for layer in layers
    )
    return (
        '<h2>Layers</h2><div class="two"><div class="card"><h3>Cycles an image</h3>'
        + cycles
        + '</div><div class="card"><h3>Weight bits</h3>'
        + memory
        + "</div></div>"
        '<div class="card scroll" style="margin-top:18px"><table><tr><th>layer<th>kind<th>shape'
        '<th class="r">PE<th class="r">SIMD<th class="r">cycles<th class="r">weight bits'
        f"<th>store</tr>{rows}</table></div>"
    )


def _resources(report):
    rows, table = [], []
    for key, label in _RESOURCES.items():
        used, available = report["resources"][key]["used"], report["resources"][key]["available"]
        estimate = report["estimate"][key]
        if not available:
            continue
        # Each bar is a share of its own device resource, so that blocks and LUTs stand on one axis.
        rows.append(
            Bar(
                label=label,
                value=None if used is None else used / available,
                capacity=1.0,
                tick=estimate / available,
                strong=used is not None and used > 0.9 * available,
                text=f"{100 * (estimate if used is None else used) / available:.0f} %",
            )
        )
        off = "–" if not used else f"{100 * (estimate - used) / used:+.1f} %"
        table.append(
            f'<tr><td>{label}</td><td class="r">{estimate:,}</td>'
            f'<td class="r">{"–" if used is None else f"{used:,}"}</td><td class="r">{off}</td>'
            f'<td class="r">{available:,}</td></tr>'
        )
    if report["timing"]["fmax_mhz"] is None:
        hint = "No bitstream was asked for: the marks are estimates made before synthesis."
    else:
        hint = (
            "The bars are what place and route used of the device; the marks were estimated before synthesis."
        )
    return (
        f'<h2>Resources</h2><p class="hint">{hint}</p><div class="two"><div class="card">'
        + bars("Share of the device that is used", rows)
        + '</div><div class="card"><table>'
        '<tr><th>resource<th class="r">estimated<th class="r">used<th class="r">estimate is off by'
        f'<th class="r">available</tr>{"".join(table)}</table></div></div>'
    )


def _accuracy(report):
    accuracy, images = report["accuracy"], _images(report)
    on = "" if not accuracy["images"] else f"on {_count(accuracy['images'], 'image')}"
    # Training measured its accuracies on its own test set.
    trained = "" if images["source"] == trial_images.TEST_SET else ", on its own test set"
    rungs = [
        ("Float, soft", accuracy["float"], f"the trained network, tanh(νx){trained}"),
        ("Hardened", accuracy["hardened"], f"the same network with sign{trained}"),
        (
            "Integer",
            accuracy["integer"],
            f"the reference {on}" + _top_note(report["top"], accuracy["integer_top"]),
        ),
        ("RTL", accuracy["rtl"], _rtl_note(accuracy) + _top_note(report["top"], accuracy["rtl_top"])),
    ]
    parts = []
    for n, (title, value, note) in enumerate(rungs):
        parts.append(f'<dl class="card rung"><dt>{title}</dt><dd>{_percent(value)}</dd><p>{note}</p></dl>')
        if n < 3:
            parts.append(_join(n, value, None if trained and n == 1 else rungs[n + 1][1], report))
    return (
        '<h2>Accuracy ledger</h2><p class="hint">Where accuracy is lost between training and the chip, if'
        " anywhere."
        f" Tried on {images['count']:,} {_tried(images)}. The network takes raw pixels, one byte each, "
        f"of type {_esc(report['network'].get('pixels', {}).get('type', 'UINT8'))}; scaling is folded into"
        " its first layer."
        f'{_best_few(report["top"])}</p><div class="ledger">{"".join(parts)}</div>'
    )


def _tried(images):
    """What the images are, with their whole digest."""
    if images["source"] == trial_images.RANDOM:
        return (
            f"random images ({_esc(images['note'] or 'no test data at hand')}), of which no true class is"
            " known"
        )
    digest = f", SHA-256 <code>{_esc(images['sha256'])}</code>" if images["sha256"] else ""
    return f"{_esc(trial_images.kind(images['source']))} of {_esc(images['name'])}{digest}" + (
        f" ({_esc(images['note'])})" if images["note"] else ""
    )


#: With more classes the table would not be read; the most frequent mistakes are listed.
_MOST_CLASSES = 24


def _confusion(report):
    """Which classes are taken for which, by the reference."""
    counts = report["accuracy"].get("confusion")
    if counts is None:
        return ""
    labels = report["network"]["labels"]
    names, several = [_esc(name) for name in labels], isinstance(counts[0][0], list)
    few = several or len(names) <= _MOST_CLASSES
    wrong = metrics.mistakes(counts, labels, 3 if few else 30)
    said = f" Most frequent mistakes: {_esc(', '.join(wrong))}." if wrong else " There is no mistake."
    if several:
        return _labels_found(names, counts, said)
    right = sum(row[n] for n, row in enumerate(counts))
    total = sum(map(sum, counts))
    hint = f"Of {_count(total, 'image')} the integer network has {right:,} right.{said}"
    title = "<h2>Confusion matrix</h2>"
    if not few:
        return f'{title}<p class="hint">{hint}</p>'
    rows = []
    for true, row in enumerate(counts):
        seen = sum(row)
        cells = "".join(
            _cell(
                count, seen, true == found, f"{names[true]} taken for {names[found]}: {count:,} of {seen:,}"
            )
            for found, count in enumerate(row)
        )
        share = _percent(row[true] / seen) if seen else "–"
        rows.append(
            f'<tr><th class="r">{names[true]}</th>{cells}<td class="r sum">{seen:,}</td><td'
            f' class="r">{share}</td></tr>'
        )
    found = "".join(f'<td class="r">{sum(column):,}</td>' for column in zip(*counts, strict=True))
    head = "".join(f"<th>{name}</th>" for name in names)
    return (
        f'{title}<p class="hint">{hint} A row is a true class, a column what the network says; colour is the'
        ' share of its row.</p><div class="card scroll"><table class="confusion"><tr><th class="r">true \\'
        f' found</th>{head}<th class="r sum">images</th><th class="r">right</th></tr>{"".join(rows)}<tr><th'
        f' class="r">found</th>{found}<td class="r sum">{total:,}</td><td'
        f' class="r">{_percent(right / total) if total else "–"}</td></tr></table></div>'
    )


def _labels_found(names, counts, said):
    """Of each label of a multi-label network how often the reference finds it."""
    rows = []
    for name, ((neither, wrongly), (missed, both)) in zip(names, counts, strict=True):
        cells = "".join(
            _cell(count, total, right, f"{name}: {count:,} of {total:,}")
            for count, total, right in (
                (both, both + missed, True),
                (missed, both + missed, False),
                (wrongly, neither + wrongly, False),
                (neither, neither + wrongly, True),
            )
        )
        rows.append(
            f'<tr><th class="r">{name}</th>{cells}<td class="r'
            f' sum">{_percent((both + neither) / (both + neither + missed + wrongly))}</td></tr>'
        )
    return (
        f'<h2>Labels</h2><p class="hint">Each output of the integer network is a label of its own.{said}'
        ' Colour is the share of the images that have the label, or have it not.</p><div class="card'
        ' scroll"><table class="confusion"><tr><th'
        ' class="r">label</th><th>found</th><th>missed</th><th>found wrongly</th><th>rightly not'
        f' found</th><th class="r sum">right</th></tr>{"".join(rows)}</table></div>'
    )


def _cell(count, seen, right, title):
    """One cell, the more coloured the larger its share of the row."""
    if not count:
        return f'<td class="none" title="{title}">·</td>'
    part = round(100 * (0.12 + 0.58 * count / seen))
    colour = "fill" if right else "slow"
    return (
        f'<td title="{title}" style="background:color-mix(in srgb,var(--{colour})'
        f' {part}%,transparent)">{count:,}</td>'
    )


def _best_few(top):
    return (
        ""
        if top == 1
        else f" Beside an image's last score the core gives its best {top} classes, the best first."
    )


def _top_note(top, part):
    return "" if top == 1 or part is None else f"; among the best {top}: {_percent(part)}"


def _rtl_note(accuracy):
    if accuracy["rtl"] is None:
        return "not simulated" if accuracy["rtl_images"] is None else "no labels to compare with"
    note = f"emitted Verilog on {_count(accuracy['rtl_images'], 'image')}"
    if accuracy["rtl_images"] != accuracy["images"]:
        note += f"; the reference has {_percent(accuracy['integer_rtl_images'])} on the same"
    return note


def _join(n, left, right, report):
    """What stands between two rungs: a difference, or an equality that was checked."""
    if left is None or right is None:
        return '<div class="join step"><b>→</b></div>'
    if n == 2:
        # Both sides of this one saw every image of the simulation, score by score.
        same = report["verdict"]["status"] == "exact"
        return f'<div class="join"><b>{"=" if same else "→"}</b>{"every score" if same else ""}</div>'
    off = 100 * (right - left)
    if abs(off) < 0.005:
        return '<div class="join"><b>=</b></div>'
    return f'<div class="join step"><b>→</b>{off:+.2f}</div>'


def _timing(report):
    timing, link = report["timing"], report["link"]
    clock = [Bar(label="clock", value=timing["clock_mhz"], text=f"{timing['clock_mhz']:g} MHz")]
    if timing["fmax_mhz"] is not None:
        clock.append(
            Bar(
                label="Fmax",
                value=timing["fmax_mhz"],
                text=f"{timing['fmax_mhz']:.1f} MHz",
                tick=timing["clock_mhz"],
            )
        )
        slack = 100 * (timing["fmax_mhz"] / timing["clock_mhz"] - 1)
        hint = (
            f"Timing closes with {slack:.1f} % to spare, of which {100 * timing['clock_margin']:g} % are"
            " required for jitter."
        )
        if len(timing["trials"]) > 1:
            hint += (
                " Place and route reached "
                + ", ".join(
                    f"{trial['fmax_mhz']:.1f} MHz with seed {trial['seed']} for {trial['clock_mhz']:g} MHz"
                    for trial in timing["trials"]
                )
                + f"; seed {timing['seed']} was taken."
            )
    else:
        hint = "Not placed and routed, so no Fmax."
    measured = report["verdict"].get("cycles_per_image")
    if measured is not None:
        same = (measured, report["verdict"]["latency_cycles"]) == (
            timing["cycles_per_image"],
            timing["latency_cycles"],
        )
        hint += (
            " Cycles and latency are predicted, and the simulation measured the same."
            if same
            else (
                f" {timing['cycles_per_image']:,} cycles an image were predicted, but the simulation measured"
                f" {measured:,}, and a latency of {report['verdict']['latency_cycles']:,} cycles."
            )
        )
    rates = [
        Bar(label="core", value=timing["images_per_second"], text=f"{_rate(timing['images_per_second'])} /s")
    ]
    note = "The core alone, fed without a pause."
    if link is not None:
        rates.append(
            Bar(
                label=link["kind"],
                value=link["images_per_second"],
                strong=True,
                text=f"{_rate(link['images_per_second'])} /s",
            )
        )
        note = (
            "The core as fed without a pause, and the most that this board's host link "
            f"({link['kind']}, {link['baud']:,} baud) can carry. USB leaves "
            + ", ".join(
                f"{_rate(rate)} /s with a latency timer of {latency} ms"
                for latency, rate in link["usb_images_per_second"].items()
            )
            + ". Logarithmic."
        )
    return (
        '<h2>Timing</h2><div class="two"><div class="card"><h3>Clock</h3>'
        f'<p class="hint">{_esc(hint)}</p>{bars("Clock and Fmax in MHz", clock)}</div>'
        f'<div class="card"><h3>Images a second</h3><p class="hint">{_esc(note)}</p>'
        f"{bars('Images a second', rates, logarithmic=True)}</div></div>" + _bound(report)
    )


def _bound(report):
    bound, cycles = report["bound"], report["timing"]["cycles_per_image"]
    rows = [Bar(label="this design", value=cycles, text=f"{cycles:,}")] + [
        Bar(label=name, value=limit, text=f"{limit:,}", strong=name == bound["by"])
        for name, limit in bound["limits"].items()
    ]
    hint = (
        f"The greatest of the device's limits is {bound['by']}; this design reaches"
        f" {100 * bound['reached']:.0f} % of it. Memory ports give each weight once an image; weights that"
        " live in LUTs can beat them. As built, a window gives a pixel a cycle and a unit takes a bit plane."
        " Logarithmic."
    )
    return (
        '<div class="card" style="margin-top:18px"><h3>Cycles an image, and the device\'s limits</h3>'
        f'<p class="hint">{_esc(hint)}</p><div style="max-width:460px">'
        f"{bars('Cycles an image and limits', rows, logarithmic=True)}</div></div>"
    )


_STATUS = {"PASS": "ok", "proved": "ok", "FAIL": "bad", "refuted": "bad"}


def _status(text):
    return f'<td class="status {_STATUS.get(text, "open")}">{_esc(text)}</td>'


def _ledger(ledger):
    rows = "".join(
        f"<tr>{_status(entry['status'])}<td>{_esc(entry['rung'])}</td><td>{_esc(entry['note'])}</td>"
        f'<td class="r">{entry["seconds"]:,.1f} s</td></tr>'
        for entry in ledger["rungs"]
    )
    return (
        '<h2>From the model to the bitstream</h2><p class="hint">'
        f"Each level beside the reference, as sbgen verify found it: {_esc(ledger['images'])}.</p>"
        '<div class="card scroll"><table><tr><th></th><th>level</th><th>what was shown</th><th'
        f' class="r">time</th></tr>{rows}</table></div>'
    )


def _proofs(proofs):
    rows = []
    for proof in proofs["proofs"]:
        claim = proof["claim"][0].upper() + proof["claim"][1:] + "."
        scope = f'<br><span class="dim">In the proof {_esc(proof["scope"])}.</span>' if proof["scope"] else ""
        wrong = "".join(f"<br>{_esc(each)}" for each in proof["violated"])
        by = _esc(proof["solver"]) + (f", depth {proof['depth']}" if proof["depth"] else "")
        rows.append(
            f"<tr>{_status(proof['status'])}<td>{_esc(proof['subject'])}<br><span"
            f' class="dim">{_esc(", ".join(proof["places"]))}</span></td><td>{_esc(claim)}{scope}{wrong}</td><td>{by}</td><td'
            f' class="r">{proof["seconds"]:,.1f} s</td></tr>'
        )
    proved = sum(proof["status"] == "proved" for proof in proofs["proofs"])
    gaps = [f"{part}: there is no statement about it" for part in proofs["without_statement"]] + proofs[
        "not_proved_here"
    ]
    return (
        '<h2>Proofs</h2><p class="hint">'
        f"{proved} of {_count(len(proofs['proofs']), 'statement')} proved by sbgen prove, each for every"
        " input, in every cycle, with a reset in any "
        'cycle, whatever the other side of a stream does.</p><div class="card'
        ' scroll"><table><tr><th></th><th>about</th><th>statement</th>'
        f'<th>by</th><th class="r">time</th></tr>{"".join(rows)}</table></div>'
        '<div class="card" style="margin-top:18px"><h3>Not proved here</h3><ul>'
        + "".join(f"<li>{_esc(each)}</li>" for each in gaps)
        + "</ul></div>"
    )


def _provenance(report, beside=()):
    tools = "".join(
        f"<tr><td>{_esc(name)}</td><td>{_esc(version)}</td></tr>" for name, version in report["tools"].items()
    )
    files = "".join(
        f"<tr><td>{_esc(name)}</td><td><code>{_esc(digest)}</code></td></tr>"
        for name, digest in report["files"].items()
    )
    model = report["model"]
    return (
        '<h2>Where it came from</h2><p class="hint">The same model, settings and tools give the same files,'
        " byte "
        'for byte. Digests are SHA-256.</p><div class="card scroll"><table>'
        f"<tr><td>model {_esc(model['file'])}</td><td><code>{_esc(model['sha256'])}</code></td></tr>"
        f"<tr><td>integer network</td><td><code>{_esc(report['network']['sha256'])}</code></td></tr>{files}"
        f'</table></div><div class="card" style="margin-top:18px"><table>{tools}</table></div>'
        f"<footer>Everything on this page is in {' and '.join(('report.json', *beside))} beside it.</footer>"
    )
