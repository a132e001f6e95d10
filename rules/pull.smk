# Parts of stores from the object store that a knob names, into the place where they would be built; the next run joins them, each held
# against its receipt. Without the rules of publish.smk, whose outputs are the inputs here.
FROM = PLAN.knobs.pull_from.rstrip("/")


def objects_of(names):
    """The objects of a data set in this plan."""
    return lambda wildcards: [
        stored(
            f"{FROM}/{RECORDS}/{file}".format(
                name=slice_name(Path(DATA.format(**wildcards))), **wildcards
            )
        )
        for file in names
    ]


rule pull_index:
    input:
        objects=objects_of(INDEX),
    output:
        touch(f"{DATA}/pulled/index"),
    log:
        f"{DATA}/log/pull-index.txt",
    params:
        folder=DATA,
    shell:
        "(mkdir -p {params.folder}/parts && cp {input.objects} {params.folder}) 2>&1 | tee {log}"


rule pull_part:
    input:
        f"{DATA}/pulled/index",
        objects=objects_of(PART),
    output:
        touch(f"{DATA}/pulled/part-{{part}}"),
    log:
        f"{DATA}/log/pull-part-{{part}}.txt",
    params:
        folder=DATA,
    shell:
        "cp {input.objects} {params.folder}/parts 2>&1 | tee {log}"


rule pull:
    input:
        each_part(f"{DATA}/pulled/part-{{part}}"),
