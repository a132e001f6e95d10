"""A store in Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html): what its files and columns are.

The responsible-AI terms (http://mlcommons.org/croissant/RAI/1.0) say above all whether people were recorded or records generated.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vitalbench.files import file_digest

RECORDS = "records"
_SPECIFICATIONS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
_CR = "http://mlcommons.org/croissant/"
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format includes "
    "isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate "
    "separator source subField transform"
)
# The context of the specification, word for word: readers warn of any other.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": _CR,
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
}
_CONTEXT |= {term: f"cr:{term}" for term in _TERMS.split()}
_KINDS = {
    ".h5": "application/x-hdf5",
    ".parquet": "application/x-parquet",
    ".csv": "text/csv",
    ".json": "application/json",
}
_COLUMNS = {
    "record_id": "the record, as <data set>/<id>",
    "patient_id": "the patient, as <data set>/<id>",
    "row": "the record's position in the arrays of store.h5",
    "file": "the record's file in the release",
    "digest": "the first 16 hex digits of the SHA-256 of the record's samples",
}
_FAMILIES = {
    "labels": "the record's classes in the label set '{}'",
    "group": "subgroup '{}'",
    "truth": "what the generator drew as '{}'",
    "boxes": "where findings of the label set '{}' are: finding, x, y, width and height in shares of the image's sides",
}


def _file(name: str, sha256: str, what: str, kind: str = "") -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": what,
        "contentUrl": name,
        "encodingFormat": kind or _KINDS[Path(name).suffix],
        "sha256": sha256,
    }


def _arrays(config: dict[str, Any], records: int) -> str:
    if image := config.get("image"):
        channels, height, width = image["channels"], image["height"], image["width"]
        shape = f"{records} x {len(channels)} x {height} x {width}"
        return (
            f"`images` ({shape}: records, channels {' '.join(channels)}, rows, columns), unsigned {image['bits']}-bit integers; "
            "`gain` and `baseline` a record and channel: share of full scale = (images - baseline) / gain"
        )
    signal = config["signal"]
    shape = f"{records} x {len(signal['leads'])} x {round(signal['rate_hz'] * signal['seconds'])}"
    return (
        f"`signals` ({shape}: records, leads {' '.join(signal['leads'])}, samples at {signal['rate_hz']} Hz), 16-bit integers; "
        "`gain` and `baseline` a record and lead: millivolt = (signals - baseline) / gain"
    )


def _distribution(folder: Path, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    signals = _arrays(manifest["config"], manifest["records"])
    sealed = "application/octet-stream" if manifest["config"]["encrypt"] else ""
    told = {
        "records.parquet": "a row a record of the store",
        "quality.csv": "what was found wrong with records, and which were kept out of the store for it",
        "manifest.json": "what the store was built of",
        "store.h5": f"the parts joined as one HDF5 virtual dataset: {signals}",
    }
    files = [
        _file(name, file_digest(folder / name), what, sealed if name == "records.parquet" else "")
        for name, what in told.items()
    ]
    return files + [
        _file(f"parts/{name}", part["sha256"]["signals"], f"the arrays of {part['records']} of the store's records")
        for name, part in manifest["parts"].items()
    ]


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "cr:Int64"
    return "cr:Float64" if pa.types.is_floating(kind) else "sc:Text"


def _told(column: str) -> str:
    family, _, name = column.partition(":")
    return _COLUMNS.get(column) or (
        _FAMILIES[family].format(name) if family in _FAMILIES else f"'{column}' of the release"
    )


def _field(column: str, kind: pa.DataType) -> dict[str, Any]:
    several = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    identity = f"{RECORDS}/{column.replace(':', '.')}"  # a colon would make it a prefix
    return {
        "@type": "cr:Field",
        "@id": identity,
        "name": identity,
        "description": _told(column),
        "dataType": _data_type(kind.value_type if several else kind),
        "source": {"fileObject": {"@id": "records.parquet"}, "extract": {"column": column}},
    } | ({"isArray": True, "arrayShape": "-1"} if several else {})


def _record_set(table: Path) -> dict[str, Any]:
    schema = pq.read_schema(table)
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": "The records of the store; `row` finds a record's signals in store.h5.",
        "key": {"@id": f"{RECORDS}/record_id"},
        "field": [_field(name, kind) for name, kind in zip(schema.names, schema.types, strict=True)],
    }


def _origin(source: str, release: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Generated or recorded: nobody should have to guess."""
    if source == "generated":
        return {
            "description": f"A stand-in for {about['title']} {about['version']}: generated records in the release's layout. "
            "No person was recorded.",
            "rai:dataCollection": "Generated by a program from stated parameters; nothing was measured.",
            "rai:dataCollectionType": ["Synthetic"],
            "rai:personalSensitiveInformation": ["None: the records are generated."],
            "rai:dataLimitations": ["Generated records support no clinical claim."],
        }
    whole = "the whole release" if release["complete"] else "a part of the release or a release of unknown size"
    return {
        "description": f"{about['title']} {about['version']}, {whole}: recorded from patients, standardised without a change "
        "of samples.",
        "rai:dataCollection": f"Recorded; see {about['homepage']}.",
        "rai:personalSensitiveInformation": ["Health data of people, as the publisher released them."],
    }


def _content(folder: Path, origin: dict[str, Any], encrypted: bool) -> dict[str, Any]:
    """What a reader finds: the table, or that it needs the key and vitalbench."""
    if not encrypted:
        return origin | {"recordSet": [_record_set(folder / "records.parquet")]}
    told = "Signals and tables of records are encrypted with AES-256-GCM; vitalbench reads them with the key."
    return origin | {"description": f"{origin['description']} {told}"}


def croissant(folder: Path, about: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """The JSON-LD of a store.

    Args:
        folder: holds the store's files; contentUrls are relative to it.
        about: the data set's name, `source`, and under `about` title, version, licence, citation, homepage and date.
        manifest: the store's manifest.json.
    """
    facts = about["about"]
    release = manifest["release"]
    return (
        {
            "@context": _CONTEXT,
            "@type": "sc:Dataset",
            "name": f"{about['dataset']}-{about['source']}",
            "conformsTo": _SPECIFICATIONS,
            "version": facts["version"],
            "license": facts["licence"],
            "url": facts["homepage"],
            "citeAs": facts["citation"],
            "keywords": ["physiological signals", release["source"]],
            "isLiveDataset": False,
            "rai:dataPreprocessingProtocol": [
                "Leads in a fixed order; no resampling, filtering or scaling. What was questioned is in "
                "quality.csv; the limits are in manifest.json."
            ],
            "distribution": _distribution(folder, manifest),
        }
        | ({"datePublished": facts["published"]} if facts["published"] else {})
        | _content(folder, _origin(about["source"], release, facts), manifest["config"]["encrypt"])
    )
