# Records: acquired, standardised part by part, joined to a store. A killed build resumes at its last part.
def index_files(wildcards):
    """A local release's own tables: records are built again when they change."""
    root = PLAN.roots.get(wildcards.dataset)
    return [str(root / name) for name in PLAN.datasets[wildcards.dataset].index_files] if root else []


def parts_of(wildcards):
    """Every part of a data set; how many is configured, so the DAG is known before the data."""
    count = PLAN.datasets[wildcards.dataset].parts
    return expand(f"{DATA}/parts/part-{{part}}.h5", part=[f"{n:04d}" for n in range(count)], allow_missing=True)


rule acquire:
    input:
        f"{DATA}/config.json",
        index_files,
    output:
        f"{DATA}/release.json",
    log:
        f"{DATA}/log/acquire.txt",
    params:
        folder=DATA,
    shell:
        "vitalbench acquire --data {params.folder} 2>&1 | tee {log}"


rule standardise:
    input:
        config=f"{DATA}/config.json",
        release=f"{DATA}/release.json",
    output:
        f"{DATA}/parts/part-{{part}}.h5",
        f"{DATA}/parts/part-{{part}}.parquet",
        f"{DATA}/parts/part-{{part}}.findings.csv",
    log:
        f"{DATA}/log/part-{{part}}.txt",
    params:
        folder=DATA,
        part=lambda wildcards: int(wildcards.part),
    shell:
        "vitalbench standardise --data {params.folder} --part {params.part} 2>&1 | tee {log}"


rule store:
    input:
        config=f"{DATA}/config.json",
        release=f"{DATA}/release.json",
        parts=parts_of,
    output:
        f"{DATA}/store.h5",
        f"{DATA}/records.parquet",
        f"{DATA}/quality.csv",
        f"{DATA}/manifest.json",
    log:
        f"{DATA}/log/store.txt",
    params:
        folder=DATA,
    shell:
        "vitalbench store --data {params.folder} 2>&1 | tee {log}"


rule data:
    input:
        each_source(f"{DATA}/store.h5"),
