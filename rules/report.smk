# The page a person opens.
rule report:
    input:
        tables=rules.compare.input,
        claims=rules.claims.output,
        examined=rules.examine.input,
        efficiency=rules.efficiency.output if PLAN.suite.efficiency else [],
        code=stage_slice("report"),
    output:
        report(
            in_suite(layout.REPORT),
            category="Report",
            labels={"page": "the whole suite on one page"},
        ),
        directory(in_suite("figures")),
    log:
        in_suite("log/report.txt"),
    params:
        suite=subpath(input.code, ancestor=3),
    shell:
        "vitalbench report --results {params.suite} 2>&1 | tee {log}"
