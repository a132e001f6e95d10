# Objects of an object store. A data set's folder in it carries the hash of its slice, so that parts of other settings or of other code are
# never taken.
from vitalbench.config.remote import cloud_command, cloud_objects, slice_name
from vitalbench.config.workflow import refuse_without_store
from vitalbench.files import file_digest

if PLAN.knobs.publish_to or PLAN.knobs.pull_from:
    refuse_without_store(PLAN.knobs)

RECORDS = "data/{dataset}/{source}/{name}"
PART = [
    f"parts/part-{{part}}{end}" for end in (".h5", ".parquet", ".findings.csv", ".json")
]
INDEX = ["release.json", "index.parquet"]


wildcard_constraints:
    name="[0-9a-f]+",


def stored(url, retrieve=True):
    """An object; one that is only asked for to be there is not retrieved."""
    return storage.s3(url, retrieve=retrieve)


def each_part(pattern):
    """A pattern filled in for every part of every data set that has records here."""
    return [
        pattern.format(
            dataset=dataset,
            source=source,
            name=slice_name(Path(DATA.format(dataset=dataset, source=source))),
            part=f"{part:04d}",
        )
        for dataset, source in PLAN.sources.items()
        if source
        for part in range(PLAN.datasets[dataset].parts)
    ]


if PLAN.knobs.publish_to:

    include: "publish.smk"


if PLAN.knobs.pull_from:

    include: "pull.smk"


include: "unaddressed.smk"
