# What each design's training needs of memory on each target, computed before anything runs: `snakemake memory`.
rule memory:
    input:
        suite=in_suite(layout.SUITE_SLICE),
        code=stage_slice("memory"),
    output:
        in_suite(layout.TABLE.format(table="memory")),
    log:
        in_suite("log/memory.txt"),
    params:
        suite=subpath(input.suite, ancestor=2),
    shell:
        "vitalbench memory --results {params.suite} 2>&1 | tee {log}"
