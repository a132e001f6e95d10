# Records: acquired, standardised part by part, joined to a store. A killed build resumes at its last part. A release that is
# downloaded is fetched part by part too, so that parts are standardised while others are still coming.
rule acquire:
    input:
        index_files,
        where_from,
        config=f"{DATA}/config.json",
    output:
        f"{DATA}/release.json",
        f"{DATA}/index.parquet",
    log:
        f"{DATA}/log/acquire.txt",
    params:
        folder=subpath(input.config, parent=True),
    shell:
        "vitalbench acquire --data {params.folder} 2>&1 | tee {log}"


rule fetch:
    input:
        config=f"{DATA}/config.json",
        where=ancient(f"{DATA}/{layout.DOWNLOAD_SLICE}"),
        release=f"{DATA}/release.json",
        index=f"{DATA}/index.parquet",
    output:
        f"{DATA}/parts/part-{{part}}.fetched.json",
    log:
        f"{DATA}/log/fetch-{{part}}.txt",
    # The line is what is scarce: one part at a time, and the next before anything else.
    priority: 1
    resources:
        downloads=1,
    params:
        folder=subpath(input.config, parent=True),
        part=lambda wildcards: int(wildcards.part),
    shell:
        "vitalbench fetch --data {params.folder} --part {params.part} 2>&1 | tee {log}"


rule standardise:
    input:
        fetched_part,
        config=f"{DATA}/config.json",
        index=f"{DATA}/index.parquet",
    output:
        # Left in place until the job has looked: a part of which nothing changed is kept.
        update(f"{DATA}/parts/part-{{part}}.h5"),
        update(f"{DATA}/parts/part-{{part}}.parquet"),
        update(f"{DATA}/parts/part-{{part}}.findings.csv"),
        update(f"{DATA}/parts/part-{{part}}.json"),
    log:
        f"{DATA}/log/part-{{part}}.txt",
    params:
        folder=subpath(input.config, parent=True),
        part=lambda wildcards: int(wildcards.part),
        attempt=attempt_at(f"{DATA}/parts/part-{{part}}.h5"),
    shell:
        "vitalbench standardise --data {params.folder} --part {params.part} 2>&1 | tee {log}"


rule store:
    input:
        config=f"{DATA}/config.json",
        release=f"{DATA}/release.json",
        parts=parts_of,
    output:
        # Left in place: what a gate refuses to join takes nothing away.
        update(f"{DATA}/store.h5"),
        update(f"{DATA}/records.parquet"),
        update(f"{DATA}/quality.csv"),
        update(f"{DATA}/manifest.json"),
    log:
        f"{DATA}/log/store.txt",
    params:
        folder=subpath(input.config, parent=True),
        attempt=attempt_at(f"{DATA}/store.h5"),
    shell:
        "vitalbench store --data {params.folder} 2>&1 | tee {log}"


# What others need to read the store: a description of its own, so that a changed citation builds nothing.
rule describe:
    input:
        about=f"{DATA}/{layout.DESCRIBE_SLICE}",
        store=rules.store.output,
    output:
        f"{DATA}/{layout.CROISSANT}",
        f"{DATA}/{layout.DATA_RECEIPT}",
    log:
        f"{DATA}/log/describe.txt",
    params:
        folder=subpath(input.about, parent=True),
    shell:
        "vitalbench describe --data {params.folder} 2>&1 | tee {log}"


rule data:
    input:
        stores=each_source(f"{DATA}/store.h5"),
        descriptions=each_source(f"{DATA}/{layout.CROISSANT}"),
