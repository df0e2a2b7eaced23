"""PURPOSE: international documents are read as they were written, and are what the standards ask.

Each on random closed areas and on the edges of what fits; the official schemas judge what is
written, and what is changed by hand must be refused.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import xmlschema
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from kwartier import codecs, codes
from kwartier.codecs import Unreadable, Unwritable
from kwartier.documents import (
    AGGREGATED_MEASURED,
    ENERGY_ACCOUNT,
    IMBALANCE_ACCOUNT,
    Document,
    Reason,
)
from tests import areas, international
from tests.international import CODECS, acknowledgement, document, schemas, series
from tests.json_schema import Validator

__all__ = ["schemas"]

ACCOUNTS = ("energy-account-4.0", "energy-account-4.1")
OF = {AGGREGATED_MEASURED: ("rsm014-xml", "rsm014-json")}
OF |= {ENERGY_ACCOUNT: ACCOUNTS, IMBALANCE_ACCOUNT: ACCOUNTS}
EACH = [(process, name) for process, names in OF.items() for name in names]


def round_trip(name: str, written: Document) -> bytes:
    """Write a document, and hold what is read from it against it."""
    content = CODECS[name].write(written)
    assert codecs.recognise(content) == name
    assert CODECS[name].read(content) == written
    return content


@pytest.fixture(scope="module")
def json_schema(shared) -> Validator:
    path = shared / "xsd/energinet_cim/Notify-Aggregated-Measure-Data-assembly-model.schema.json"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there; name its directory in KWARTIER_SHARED")
    return Validator(path)


# ---- round trips ---------------------------------------------------------------------------------
@settings(max_examples=8, phases=[Phase.generate])
@given(st.integers(0, 2**32 - 1), st.sampled_from(areas.DAYS), st.integers(1, 2))
def test_documents_of_a_closed_area_are_read_as_they_were_written(seed, day, count) -> None:
    made = international.of_world(areas.make(seed, [day], count, True))
    assume(made)
    for documents in made:
        for written in documents:
            for name in OF[written.process]:
                round_trip(name, written)


@pytest.mark.parametrize("seed", range(3))
def test_documents_of_a_closed_area_are_valid(seed: int, schemas, json_schema) -> None:
    world = areas.make(seed, [international.DAYS[seed]], 2, True)
    made = [d for documents in international.of_world(world) for d in documents]
    assert {d.process for d in made} == set(OF)
    for written in made:
        for name in OF[written.process]:
            content = CODECS[name].write(written)
            if name in schemas:
                schemas[name].assertValid(etree.fromstring(content))
            else:
                assert json_schema.problems(content) == []


@pytest.mark.parametrize(("process", "name"), EACH)
def test_the_edges_of_what_fits_are_read_as_they_were_written(process, name, request) -> None:
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(international.documents(process))
    def check(written: Document) -> None:
        round_trip(name, written)

    check()


@pytest.mark.parametrize(("process", "name"), EACH)
def test_the_edges_of_what_fits_are_valid(process, name, schemas, json_schema) -> None:
    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(international.documents(process))
    def check(written: Document) -> None:
        content = CODECS[name].write(written)
        if name in schemas:
            schemas[name].assertValid(etree.fromstring(content))
        else:
            assert json_schema.problems(content) == []

    check()


@pytest.mark.parametrize("name", [n for n in international.SCHEMAS if n != "acknowledgement-8.1"])
def test_a_second_validator_agrees(name: str, shared) -> None:
    second = xmlschema.XMLSchema(str(international.schema_path(shared, name)))
    for process, names in OF.items():
        if name in names:
            content = CODECS[name].write(document(process, day=international.DAYS[1]))
            assert second.is_valid(content.decode())
            assert not second.is_valid(content.decode().replace("PT15M", "15 minutes"))


# ---- what the documents say ----------------------------------------------------------------------
def text_of(content: bytes, path: str) -> list[str]:
    root = etree.fromstring(content)
    return [found.text for found in root.iterfind(path.replace("/", "/{*}"))]


def test_rsm014_says_who_where_and_how_much() -> None:
    content = CODECS["rsm014-xml"].write(document(day=international.DAYS[1], final=True))
    assert text_of(content, "./type") == ["E31"]
    assert text_of(content, "./process.processType") == ["D04"]
    (found,) = etree.fromstring(content).iterfind("{*}Series")
    cells = {child.tag.split("}")[1]: (child.text, dict(child.attrib)) for child in found}
    gs1 = {"codingScheme": "A10"}
    assert cells["meteringGridArea_Domain.mRID"] == (international.AREA, gs1)
    assert cells["energySupplier_MarketParticipant.mRID"] == (international.SUPPLIER, gs1)
    assert cells["balanceResponsibleParty_MarketParticipant.mRID"] == (str(international.BRP), gs1)
    assert cells["marketEvaluationPoint.type"][0] == "E17"
    assert cells["marketEvaluationPoint.settlementMethod"][0] == "D01"
    assert cells["quantity_Measure_Unit.name"][0] == "KWH"
    assert text_of(content, "./Series/Period/timeInterval/start") == ["2026-03-28T23:00Z"]
    assert text_of(content, "./Series/Period/timeInterval/end") == ["2026-03-29T22:00Z"]
    assert text_of(content, "./Series/Period/Point/quantity") == ["1.500"] * 92
    assert set(text_of(content, "./Series/Period/Point/quality")) == {"A04"}


def test_rsm014_in_json_has_the_digits_of_the_quantity() -> None:
    quantity = np.zeros(96, np.int64)
    quantity[:3] = [2**53 + 1, -5, 1000]
    content = CODECS["rsm014-json"].write(document(series=[series(quantity=quantity)]))
    for number in (b"9007199254740.993", b"-0.005", b"1.000"):
        assert b'"quantity":' + number + b"," in content


def test_a_folded_supplier_has_no_element() -> None:
    folded = document(series=[series(supplier="")])
    for name in OF[AGGREGATED_MEASURED]:
        assert b"energySupplier" not in round_trip(name, folded)


@pytest.mark.parametrize(
    ("process", "cells", "kind", "sides"),
    [
        (ENERGY_ACCOUNT, {"direction": "E18"}, "A01", ("1.500", "0.000")),
        (ENERGY_ACCOUNT, {"direction": "E17"}, "A04", ("0.000", "1.500")),
        (ENERGY_ACCOUNT, {"direction": "E17", "group": "NVL"}, "A15", ("0.000", "1.500")),
    ],
)
@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_account_is_production_consumption_or_losses(name, process, cells, kind, sides) -> None:
    one = series(**{"run": "", "group": "", "supplier": ""} | cells)
    content = round_trip(name, document(process, series=[one]))
    assert text_of(content, "./TimeSeries/businessType") == [kind]
    points = "./TimeSeries/Period/Point/"
    for side, kwh in zip(("in", "out"), sides, strict=True):
        assert set(text_of(content, f"{points}{side}_Quantity.quantity")) == {kwh}


@pytest.mark.parametrize(
    ("process", "kind", "how", "sender", "receiver"),
    [(ENERGY_ACCOUNT, "A11", "A05", "A09", "A05"), (IMBALANCE_ACCOUNT, "A12", "A06", "A05", "A08")],
)
@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_account_goes_to_the_tso_or_comes_from_it(
    name, process, kind, how, sender, receiver
) -> None:
    for final, status in ((False, "A01"), (True, "A02")):
        content = round_trip(name, document(process, final=final))
        assert text_of(content, "./type") == [kind]
        assert text_of(content, "./process.processType") == [how]
        assert text_of(content, "./docStatus/value") == [status]
        assert text_of(content, "./sender_MarketParticipant.marketRole.type") == [sender]
        assert text_of(content, "./receiver_MarketParticipant.marketRole.type") == [receiver]


@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_imbalance_has_its_surplus_and_shortage_in_one_series(name: str) -> None:
    shortage, surplus = document(IMBALANCE_ACCOUNT).series
    shortage = replace(shortage, quantity=shortage.quantity * 2)
    content = round_trip(name, document(IMBALANCE_ACCOUNT, series=[shortage, surplus]))
    assert text_of(content, "./TimeSeries/businessType") == ["A20"]
    points = "./TimeSeries/Period/Point/"
    assert set(text_of(content, f"{points}in_Quantity.quantity")) == {"1.500"}
    assert set(text_of(content, f"{points}out_Quantity.quantity")) == {"3.000"}


# ---- the traps of the versions -------------------------------------------------------------------
UUID = "0f6a4a53-9d0c-4b1e-8f0a-7d0c1b1e2b11"


@pytest.mark.parametrize(("version", "longest"), [("4.0", 35), ("4.1", 60)])
def test_an_id_has_so_many_characters_and_no_more(version, longest, schemas) -> None:
    name = f"energy-account-{version}"
    for of in ("document", "series"):
        for length in (longest, longest + 1):
            made = document(ENERGY_ACCOUNT)
            if of == "document":
                made = replace(made, id="x" * length)
            else:
                made = replace(made, series=[replace(made.series[0], id="x" * length)])
            if length > longest:
                with pytest.raises(Unwritable, match=f"mRID: expected 1 to {longest} characters"):
                    CODECS[name].write(made)
            else:
                schemas[name].assertValid(etree.fromstring(round_trip(name, made)))


def test_a_uuid_fits_version_4_0_without_its_dashes() -> None:
    with pytest.raises(Unwritable, match="write a UUID without its dashes"):
        CODECS["energy-account-4.0"].write(document(ENERGY_ACCOUNT, id=UUID))
    round_trip("energy-account-4.0", document(ENERGY_ACCOUNT, id=UUID.replace("-", "")))
    round_trip("energy-account-4.1", document(ENERGY_ACCOUNT, id=UUID))


@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_interval_has_no_seconds_and_an_area_is_an_ean(name: str, schemas) -> None:
    content = round_trip(name, document(ENERGY_ACCOUNT))
    assert text_of(content, "./period.timeInterval/start") == ["2026-03-27T23:00Z"]
    assert len(international.AREA) == 18
    assert text_of(content, "./TimeSeries/area_Domain.mRID") == [international.AREA]
    changed = content.replace(b"T23:00Z</start>", b"T23:00:00Z</start>")
    assert not schemas[name].validate(etree.fromstring(changed))
    with pytest.raises(Unreadable, match=r"period\.timeInterval, start: expected a moment"):
        CODECS[name].read(changed)


def test_a_document_of_one_version_is_not_read_as_another() -> None:
    for one, other in (ACCOUNTS, ACCOUNTS[::-1]):
        with pytest.raises(Unreadable, match="expected the root"):
            CODECS[other].read(CODECS[one].write(document(ENERGY_ACCOUNT)))


# ---- what does not fit is not written ------------------------------------------------------------
@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            {"profile_category": "E1A"},
            "eries 1( and 2)?, profile_category: the format has no element",
        ),
        ({"consumption_type": "AMI"}, "consumption_type"),
        ({"point": "871687120000052782"}, "point"),
        ({"unit": "1e-5"}, "unit"),
        ({"origins": ("MSR",)}, "origins"),
        ({"version": 1}, "version"),
        ({"quantity": np.zeros(92, np.int64)}, "expected 96 periods, not 92"),
        ({"direction": ""}, "direction|a surplus and a shortage"),
        ({"direction": "E18", "group": "NVL"}, "direction|a surplus and a shortage"),
        ({"group": "NKP"}, "group"),
        ({"origin": "XYZ"}, "origin: expected one of MSR, CLC"),
        ({"id": ""}, "mRID: expected 1 to"),
        ({"id": " x"}, "mRID: holds characters that cannot be written"),
        ({"id": "x\n"}, "mRID: holds characters that cannot be written"),
        ({"id": "x\x00y"}, "mRID: holds characters that cannot be written"),
        ({"id": "\ud800"}, "mRID: holds characters that cannot be written"),
        ({"brp": "123"}, "expected a GLN-13, an EAN-18 or an EIC"),
        ({"grid_area": ""}, "mRID: expected 1 to 18"),
    ],
)
@pytest.mark.parametrize(("process", "name"), EACH)
def test_what_a_format_has_no_place_for_is_refused(process, name, cells, said) -> None:
    made = document(process)
    with pytest.raises(Unwritable, match=said) as refusal:
        CODECS[name].write(replace(made, series=[replace(s, **cells) for s in made.series]))
    assert all(
        str(value) not in str(refusal.value) for value in (international.AREA, international.BRP)
    )


@pytest.mark.parametrize("name", ACCOUNTS)
@pytest.mark.parametrize("cells", [{"supplier": international.SUPPLIER}, {"group": "SMA"}])
def test_the_tso_is_told_of_no_supplier_and_no_group(name: str, cells: dict) -> None:
    for process in (ENERGY_ACCOUNT, IMBALANCE_ACCOUNT):
        made = document(process)
        with pytest.raises(Unwritable):
            CODECS[name].write(replace(made, series=[replace(s, **cells) for s in made.series]))


@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_imbalance_without_one_of_its_sides_is_refused(name: str) -> None:
    shortage, surplus = document(IMBALANCE_ACCOUNT).series
    for wrong in (
        [surplus],
        [surplus, surplus],
        [surplus, shortage, shortage],
        [surplus, replace(shortage, brp="")],
    ):
        with pytest.raises(Unwritable, match="expected a surplus and a shortage"):
            CODECS[name].write(document(IMBALANCE_ACCOUNT, series=wrong))


@pytest.mark.parametrize(("process", "name"), EACH)
def test_a_document_without_series_or_of_another_process_is_refused(process, name) -> None:
    with pytest.raises(Unwritable, match="expected at least one"):
        CODECS[name].write(document(process, series=[]))
    with pytest.raises(Unwritable, match="process: expected"):
        CODECS[name].write(replace(document(process), process="N111"))
    with pytest.raises(Unwritable, match="receiver_role: expected"):
        CODECS[name].write(document(process, receiver_role="MPO"))


# ---- what was changed on its way is not read -----------------------------------------------------
CHANGES = [
    (b"<type>%s</type>", b"<type>E66</type>", "type: expected"),
    (b"PT15M", b"PT1H", "resolution: expected PT15M"),
    (b"8716867000030", b"8716867000023", "product: expected"),
    (b">KWH<", b">MWH<", "name: expected KWH"),
    (b'codingScheme="A10"', b'codingScheme="NNL"', "expected a GLN-13 or EAN-18"),
    (b"<position>7</position>", b"<position>8</position>", "Point 7: expected position 7"),
    (b"<position>7</position>", b"", "Point 7"),
    (b"1.500<", b"1.5001<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"1,500<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"1.5e0<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"NaN<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"1_500<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", "١.500<".encode(), "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"9223372036854775.808<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"9" * 400 + b"<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b".<", "Point 1: expected a quantity in kWh"),
    (b"1.500<", b"1<b/>.500<", "Point 1"),
    (b"2026-03-28T23:00Z", b"2026-03-28T22:45Z", "local midnight"),
    (b"2026-03-28T23:00Z", b"2026-03-29T22:00Z", "local midnight"),
    (b"2026-03-28T23:00Z", b"2026-02-30T23:00Z", "expected a moment in UTC"),
    (b"2026-03-28T23:00Z", b"9999-12-31T23:00Z", "expected a moment in UTC"),
    (b"2026-03-30T10:15:07Z", b"2026-03-30T10:15:07+02:00", "createdDateTime: expected a moment"),
    (b"2026-03-30T10:15:07Z", b"2026-03-30T10:15:61Z", "createdDateTime: expected a moment"),
]


@pytest.mark.parametrize(("before", "after", "said"), CHANGES)
@pytest.mark.parametrize(("process", "name"), [e for e in EACH if e[1] != "rsm014-json"])
def test_what_was_changed_is_not_read(process, name, before, after, said) -> None:
    before = before.replace(b"%s", process.encode())
    content = CODECS[name].write(document(process))
    assert before in content
    with pytest.raises(Unreadable, match=said) as refusal:
        CODECS[name].read(content.replace(before, after, 1))
    assert "1.500" not in str(refusal.value)
    assert international.AREA not in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "wh"),
    [
        (b"1.5", 1500), (b"1", 1000), (b"1.", 1000), (b".5", 500), (b"+1.5", 1500), (b"-0.0", 0),
        (b"1.5000000", 1500), (b"0001.5", 1500), (b" 1.5 ", 1500), (b"-1.5", -1500),
        (b"9223372036854775.807", 2**63 - 1), (b"-9223372036854775.808", -(2**63)),
    ],
)  # fmt: skip
def test_a_quantity_is_read_in_every_form_that_the_schema_allows(written, wh, schemas) -> None:
    content = CODECS["rsm014-xml"].write(document()).replace(b"1.500<", written + b"<", 1)
    schemas["rsm014-xml"].assertValid(etree.fromstring(content))
    assert CODECS["rsm014-xml"].read(content).series[0].quantity.tolist() == [wh] + [1500] * 95


@pytest.mark.parametrize(("process", "name"), [e for e in EACH if e[1] != "rsm014-json"])
def test_an_element_that_is_unknown_twice_missing_or_out_of_place_is_refused(process, name) -> None:
    content = CODECS[name].write(document(process))
    for change in (
        lambda root, one: one.append(etree.Element("{urn:x}secret")),
        lambda root, one: one.append(etree.Element(one[0].tag)),
        lambda root, one: one.insert(1, etree.fromstring(etree.tostring(one[0]))),
        lambda root, one: one.insert(0, one[2]),
        lambda root, one: one.remove(one[0]),
        lambda root, one: root.remove(one),
        lambda root, one: root.append(etree.Element("secret")),
        lambda root, one: root.insert(0, root[3]),
    ):
        root = etree.fromstring(content)
        change(root, root.find("{*}TimeSeries" if name in ACCOUNTS else "{*}Series"))
        with pytest.raises(Unreadable) as refusal:
            CODECS[name].read(etree.tostring(root))
        assert "secret" not in str(refusal.value)


def test_points_of_mixed_quality_or_with_none_available_are_refused() -> None:
    content = CODECS["rsm014-xml"].write(document())
    with pytest.raises(Unreadable, match="points of one quality"):
        CODECS["rsm014-xml"].read(content.replace(b">A04<", b">A03<", 1))
    with pytest.raises(Unreadable, match="points of one quality"):
        CODECS["rsm014-xml"].read(content.replace(b">A04<", b">A02<"))
    for quality, origin in ((b">A06<", codes.CALCULATED), (b">A03<", codes.UNMEASURED)):
        found = CODECS["rsm014-xml"].read(content.replace(b">A04<", quality))
        assert found.series[0].origin == origin


def test_series_of_two_days_are_refused() -> None:
    content = CODECS["rsm014-xml"].write(document(series=[series(0), series(1)]))
    head, _, tail = content.rpartition(b"2026-03-27T23:00Z")
    changed = head + b"2026-03-25T23:00Z" + tail.replace(b"2026-03-28T", b"2026-03-26T")
    with pytest.raises(Unreadable, match="series of one market day"):
        CODECS["rsm014-xml"].read(changed)


@pytest.mark.parametrize("name", ACCOUNTS)
def test_what_flows_one_way_does_not_flow_the_other(name: str) -> None:
    content = CODECS[name].write(document(ENERGY_ACCOUNT))
    with pytest.raises(Unreadable, match="expected 0 of what flows one way"):
        CODECS[name].read(content.replace(b">0.000<", b">0.001<", 1))


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_revision_of_a_document_is_refused(name: str) -> None:
    content = CODECS[name].write(document(ENERGY_ACCOUNT))
    revised = content.replace(b"<revisionNumber>1<", b"<revisionNumber>2<")
    with pytest.raises(Unreadable, match="revisionNumber: expected 1"):
        CODECS[name].read(revised)


# ---- acknowledgements ----------------------------------------------------------------------------
REASONS = [
    (Reason("000"),),
    (Reason("000", "thank you"),),
    (Reason("650", "not an EAN-18"),),
    (Reason("999", "else"), Reason("663")),
    (Reason("683", "a & b < c", "series-1"), Reason("686", "", "series-1"), Reason("672", "", "2")),
    (Reason("669", "known"), Reason("683", "triple", "series-1")),
    (Reason("A59", "not so here"),),
]


@pytest.mark.parametrize("reasons", REASONS)
def test_an_acknowledgement_is_read_as_it_was_written(reasons, schemas, shared) -> None:
    for made in (acknowledgement(*reasons), acknowledgement(*reasons, of="")):
        content = CODECS["acknowledgement-8.1"].write(made)
        found = CODECS["acknowledgement-8.1"].read(content)
        assert found == made
        assert found.accepted == (reasons[0].code == "000")
        schemas["acknowledgement-8.1"].assertValid(etree.fromstring(content))


def test_a_second_validator_agrees_on_an_acknowledgement(shared) -> None:
    second = xmlschema.XMLSchema(str(international.schema_path(shared, "acknowledgement-8.1")))
    for reasons in REASONS:
        content = CODECS["acknowledgement-8.1"].write(acknowledgement(*reasons))
        assert second.is_valid(content.decode())


@pytest.mark.parametrize(
    ("before", "after", "codes_read"),
    [
        ("<Reason>", "<Rejected_TimeSeries><mRID>s</mRID></Rejected_TimeSeries><Reason>",
         ["000", "A20"]),
        ("<code>A01</code>", "<code>A02</code>", ["A02"]),
        ("<code>A01</code>", "<code>A02</code><text>65</text>", ["A02"]),
        ("<code>A01</code>", "<code>A02</code><text>000</text>", ["A02"]),
        ("<code>A01</code>", "<code>A02</code><text>000 accepted</text>", ["A02"]),
        ("<code>A01</code>", "<code>999</code>", ["999"]),
        ("<code>A01</code>", "<code>A02</code><text>\n 650   x\n</text>", ["650"]),
        ("</Reason>", "</Reason><InError_Period><timeInterval><start>2026-03-27T23:00Z</start>"
         "<end>2026-03-28T23:00Z</end></timeInterval><Reason><code>A42</code></Reason>"
         "</InError_Period>", ["000", "A42"]),
    ],
)  # fmt: skip
def test_what_others_answer_is_read(before, after, codes_read, schemas) -> None:
    content = CODECS["acknowledgement-8.1"].write(acknowledgement())
    content = content.decode().replace(before, after, 1).encode()
    schemas["acknowledgement-8.1"].assertValid(etree.fromstring(content))
    found = CODECS["acknowledgement-8.1"].read(content)
    assert [reason.code for reason in found.reasons] == codes_read
    assert not found.accepted


def test_a_code_of_no_list_is_refused() -> None:
    content = CODECS["acknowledgement-8.1"].write(acknowledgement())
    for code in (b"000", b"650", b"accepted", b"A1"):
        with pytest.raises(Unreadable, match="expected a code of ENTSO-E"):
            CODECS["acknowledgement-8.1"].read(content.replace(b">A01<", b">" + code + b"<"))


def test_a_long_text_is_cut_and_a_role_may_be_left_out(schemas) -> None:
    long = acknowledgement(Reason("999", "because " * 100))
    content = CODECS["acknowledgement-8.1"].write(long)
    schemas["acknowledgement-8.1"].assertValid(etree.fromstring(content))
    (reason,) = CODECS["acknowledgement-8.1"].read(content).reasons
    assert reason.code == "999"
    assert reason.text.endswith("…")
    element = b"receiver_MarketParticipant.marketRole.type>"
    role = b"<" + element + b"A09</" + element
    assert role in content
    without = content.replace(role, b"")
    schemas["acknowledgement-8.1"].assertValid(etree.fromstring(without))
    assert CODECS["acknowledgement-8.1"].read(without).receiver_role == ""


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ([], "reasons: expected at least one"),
        ([Reason("000"), Reason("650")], "000 stands alone"),
        ([Reason("nonsense")], "expected a code of the market"),
    ],
)
def test_an_acknowledgement_that_says_nothing_or_two_things_is_refused(reasons, said) -> None:
    with pytest.raises(Unwritable, match=said):
        CODECS["acknowledgement-8.1"].write(acknowledgement(reasons=tuple(reasons)))


def test_a_document_of_no_known_format_is_refused() -> None:
    for content in (b"<a/>", b'{"a":1}', b"[]", b"", b"   ", b"\xff\xfe<\x00", b"{", b'"a"'):
        with pytest.raises(Unreadable):
            codecs.recognise(content)


@pytest.mark.parametrize(("process", "name"), EACH)
def test_a_document_is_recognised_behind_a_mark_a_comment_and_space(process, name) -> None:
    content = CODECS[name].write(document(process))
    assert codecs.recognise(b"\xef\xbb\xbf" + content) == name
    if name == "rsm014-json":
        assert codecs.recognise(b" \r\n\t" + content.replace(b'{"Notify', b'{ "Notify')) == name
    else:
        body = content.split(b"?>\n")[1]
        assert codecs.recognise(b"<!-- " + b"x" * 9000 + b" -->\n" + body) == name
    assert CODECS[name].read(b"\xef\xbb\xbf" + content) == document(process)


def test_a_series_has_the_periods_of_the_market_day() -> None:
    with pytest.raises(Unwritable, match="periods"):
        CODECS["rsm014-xml"].write(document(market_day=date(2026, 3, 29)))
