# Reported numbers, judged against what is declared and what was measured.
rule claims:
    input:
        suite=in_suite(layout.SUITE_SLICE),
        stores=rules.data.input.stores,
        metrics=rules.evaluate.input,
        efficiency=rules.efficiency.output if PLAN.suite.efficiency else [],
        documents=stage_slice("claims"),
    output:
        in_suite(layout.TABLE.format(table="claims")),
    log:
        in_suite("log/claims.txt"),
    params:
        suite=subpath(input.suite, ancestor=2),
        configs=str(CONFIGS),
    shell:
        "vitalbench claims --results {params.suite} --configs {params.configs} 2>&1 | tee {log}"
