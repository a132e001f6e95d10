"""The device that is named, and held against the one declared, is the one that work is done on."""

import pytest

from vitalbench.measure.device import cuda_names, device_here, mismatch

H100, A100 = "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB"


@pytest.fixture
def cards(tool, monkeypatch):
    """A driver's tool that lists cards, and what a process may see of them."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)

    def make(*names: str, visible: str | None = None) -> None:
        lines = [f"{number}, GPU-{number}a2b-c3, {name}" for number, name in enumerate(names)]
        asked = '[ "$1" = --query-gpu=index,uuid,name ] || exit 2\n'
        tool("nvidia-smi", asked + "\n".join(f"echo '{line}'" for line in lines))
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return make


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, (H100, A100)),
        ("1", (A100,)),
        (" 1, 0", (A100, H100)),
        ("GPU-1a2b-c3", (A100,)),
        ("GPU-1", (A100,)),
        ("GPU-", ()),
        ("0,7,1", (H100,)),
        ("-1", ()),
        ("", ()),
        ("1,1", ()),
        ("MIG-5f", ("MIG-5f",)),
    ],
)
def test_names_are_of_the_devices_that_the_process_may_use(cards, visible, names):
    cards(H100, A100, visible=visible)
    assert cuda_names() == names
    assert device_here("cuda") == (names[0] if names else None)


def test_the_card_that_is_visible_is_held_against_the_one_declared(cards):
    cards(H100, A100, visible="1")
    assert mismatch("cuda", "H100") == f"the device declared matches 'H100', the one found is '{A100}'"
    assert mismatch("cuda", "A100") is None


def test_of_several_processes_every_card_has_to_match(cards):
    cards(H100, A100, H100)
    assert mismatch("cuda", "H100") is None
    assert mismatch("cuda", "H100", 2) == f"the device declared matches 'H100', the one found is '{A100}'"
    cards(H100, A100, H100, visible="0,2")
    assert mismatch("cuda", "H100", 2) is None
    assert "3 processes are declared" in (mismatch("cuda", "H100", 3) or "")


def test_cards_that_are_hidden_are_said_to_be(cards):
    cards(H100, visible="")
    assert mismatch("cuda", "H100") == "a cuda device is declared, and there is none here: CUDA_VISIBLE_DEVICES is ''"


def test_numbers_in_another_order_than_the_drivers_name_no_card(cards, monkeypatch):
    cards(H100, A100, visible="1")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert "write PCI_BUS_ID" in (mismatch("cuda", "A100") or "")
    cards(H100, A100, visible="GPU-1a2b-c3")
    assert mismatch("cuda", "A100") is None
    cards(H100, H100, visible="1")
    assert mismatch("cuda", "H100") is None
