# The last gate: everything above is made whatever happened; this fails if a cell did.
rule check:
    input:
        rules.report.output,
        rules.compare.input,
    output:
        in_suite(layout.CHECKED),
    log:
        in_suite("log/check.txt"),
    params:
        suite=subpath(output[0], parent=True),
    shell:
        "vitalbench check --results {params.suite} 2>&1 | tee {log}"
