# Tables over all cells: what ran, what it scored, what it took and cost, and which design is better.
GATHERED = [
    "matrix",
    "metrics",
    "summary",
    "timing",
    "leakage",
    "quality",
    "search",
    "sources",
    "pooled",
    "external",
    "ladder",
]


rule tables:
    input:
        suite=in_suite(layout.SUITE_SLICE),
        metrics=rules.evaluate.input,
        measurements=rules.measure.input,
        receipts=rules.split.input,
        stores=rules.data.input.stores,
        searches=rules.search.input,
        # A cell that is projected beyond its target's sessions is not allowed.
        sessions=(
            in_suite(layout.SESSIONS)
            if any(
                cell.projected_from and PLAN.targets[cell.cell.target].session_hours
                for cell in PLAN.cells
            )
            else []
        ),
        code=stage_slice("tables"),
    output:
        [in_suite(layout.TABLE.format(table=name)) for name in GATHERED],
        in_suite("tables/schema.json"),
    log:
        in_suite("log/tables.txt"),
    params:
        suite=subpath(input.suite, ancestor=2),
    shell:
        "vitalbench tables --results {params.suite} 2>&1 | tee {log}"


rule cost:
    input:
        suite=in_suite(layout.SUITE_SLICE),
        runs=rules.train.input,
        measurements=rules.measure.input,
        prices=stage_slice("cost"),
        published=stage_slice("projection"),
    output:
        in_suite(layout.TABLE.format(table="cost")),
        in_suite(layout.TABLE.format(table="projected")),
        in_suite(layout.TABLE.format(table="reached")),
        in_suite(layout.SESSIONS),
    log:
        in_suite("log/cost.txt"),
    params:
        suite=subpath(input.suite, ancestor=2),
    shell:
        "vitalbench cost --results {params.suite} 2>&1 | tee {log}"


rule storage:
    input:
        # What scoring leaves in the runs' folders counts too.
        runs=rules.evaluate.input,
        stores=rules.data.input.stores,
        prices=stage_slice("storage"),
    output:
        in_suite(layout.TABLE.format(table="storage")),
    log:
        in_suite("log/storage.txt"),
    params:
        suite=subpath(input.prices, ancestor=3),
    shell:
        "vitalbench storage --results {params.suite} 2>&1 | tee {log}"


# How far projections are off, on published times: told where the suite has one.
rule projection:
    input:
        published=stage_slice("projection"),
    output:
        in_suite(layout.TABLE.format(table="projection")),
    log:
        in_suite("log/projection.txt"),
    params:
        suite=subpath(input.published, ancestor=3),
    shell:
        "vitalbench project --errors --results {params.suite} --out {output} 2>&1 | tee {log}"


rule comparison:
    input:
        suite=in_suite(layout.SUITE_SLICE),
        metrics=rules.evaluate.input,
        cost=rules.cost.output[0],
        timing=in_suite(layout.TABLE.format(table="timing")),
        code=stage_slice("compare"),
    output:
        in_suite(layout.TABLE.format(table="comparison")),
    log:
        in_suite("log/compare.txt"),
    params:
        suite=subpath(input.suite, ancestor=2),
    shell:
        "vitalbench compare --results {params.suite} 2>&1 | tee {log}"


rule compare:
    input:
        rules.tables.output,
        rules.cost.output,
        rules.storage.output,
        rules.comparison.output,
        rules.projection.output
        if any(cell.projected_from for cell in PLAN.cells)
        else [],
