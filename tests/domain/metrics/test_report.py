"""What may be reported, in the contract's words (metrics 1.4.2 and 1.4.3; cases M4 to M29)."""

from typing import Any

import msgspec
import pytest

from domain.metrics.report import Draft, Fault, Report, ReportInvalidError, check, nature

GOOD: dict[str, Any] = {"name": "m", "value": 12, "units": "u", "type": "uint32", "slope": "both", "ttl": 180}
TYPES_LISTED = "type must be one of [string int8 uint8 int16 uint16 int32 uint32 float double]"
UNITS = "units cannot contain any of the following characters '<>'\"&'"


def checked(**changed: Any) -> Report:
    return check(Draft(**GOOD | changed))


def faults(*, units_required: bool = True, **changed: Any) -> list[Fault]:
    with pytest.raises(ReportInvalidError) as caught:
        check(Draft(**GOOD | changed), units_required=units_required)
    return list(caught.value.faults)


def required(field: str) -> Fault:
    return Fault("required", f"{field} is a required field", field)


def unfit(type: str) -> Fault:
    return Fault("validtype", f"value is not valid for type {type}", "value")


def test_a_good_draft_is_a_report() -> None:
    assert checked() == Report(name="m", value=12, units="u", type="uint32", slope="both", ttl=180)


@pytest.mark.parametrize(
    ("type", "value", "kept"),
    [
        ("string", "", ""),
        ("string", '<b>&"é', '<b>&"é'),
        ("int8", -128, -128),
        ("int8", 127, 127),
        ("uint8", 255, 255),
        ("uint8", 0.0, 0),
        ("int16", -32768, -32768),
        ("int16", 32767.0, 32767),
        ("uint16", 65535, 65535),
        ("int32", -20, -20),
        ("int32", 3.0, 3),
        ("int32", 3.0000000001, 3),
        ("int32", -2147483648, -2147483648),
        ("uint32", 4294967295, 4294967295),
        ("float", 3.4028235e38, 3.4028235e38),
        ("float", -3.4028235e38, -3.4028235e38),
        ("double", 20, 20.0),
        ("double", 1.7e308, 1.7e308),
        ("double", 1.23456789, 1.23456789),
    ],
)
def test_a_value_that_fits_is_kept_as_one_of_its_type(type: str, value: object, kept: object) -> None:
    report = checked(type=type, value=value)
    assert report.value == kept
    assert report.value.__class__ is kept.__class__


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("string", 10),
        ("string", True),
        ("int8", 128),
        ("int8", -129),
        ("uint8", -1),
        ("uint8", 256),
        ("uint8", -0.0),
        ("int16", 32768),
        ("uint16", 65536),
        ("int32", True),
        ("int32", "12"),
        ("int32", 2.9999999999),
        ("int32", 3.14),
        ("int32", -3.14),
        ("int32", 2147483648),
        ("int32", float("inf")),
        ("int32", float("nan")),
        ("uint32", 4294967296),
        ("uint32", 10**400),
        ("float", 3.5e38),
        ("float", float("nan")),
        ("double", float("inf")),
        ("double", 10**400),
        ("double", [1]),
        ("double", {}),
        ("double", False),
    ],
)
def test_a_value_that_does_not_fit_is_the_one_fault(type: str, value: object) -> None:
    assert faults(type=type, value=value) == [unfit(type)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": None}, [required("name")]),
        ({"name": ""}, [required("name")]),
        ({"name": " \t"}, [Fault("notblank", "name cannot be blank", "name")]),
        ({"value": None}, [required("value"), unfit("uint32")]),
        ({"units": None}, [required("units")]),
        *(({"units": f"a{char}"}, [Fault("excludesall", UNITS, "units")]) for char in "<>'\"&"),
        ({"type": None}, [required("type")]),
        ({"type": ""}, [required("type")]),
        ({"type": "int64"}, [Fault("oneof", TYPES_LISTED, "type")]),
        ({"type": "String"}, [Fault("oneof", TYPES_LISTED, "type")]),
        ({"slope": ""}, [required("slope")]),
        (
            {"slope": "Zero"},
            [Fault("oneof", "slope must be one of [zero positive negative both derivative]", "slope")],
        ),
        ({"ttl": None}, [required("ttl")]),
        ({"ttl": 0}, [required("ttl")]),
        ({"ttl": -1}, [Fault("min", "ttl must be 1 or greater", "ttl")]),
    ],
)
def test_every_fault_in_the_contracts_words(changed: dict[str, Any], expected: list[Fault]) -> None:
    assert faults(**changed) == expected


@pytest.mark.parametrize(
    "changed", [{"units": ""}, {"units": " "}, {"units": "°C"}, {"name": "../x" * 300}, {"ttl": 1}]
)
def test_what_is_not_limited(changed: dict[str, Any]) -> None:
    assert msgspec.structs.asdict(checked(**changed)) == GOOD | changed


def test_all_faults_together_in_the_contracts_order() -> None:
    with pytest.raises(ReportInvalidError) as caught:
        check(Draft())
    assert [fault.source for fault in caught.value.faults] == ["name", "value", "units", "type", "slope", "ttl"]
    all_wrong = faults(name=" ", value="x", units="<", type="int8", slope="up", ttl=-3)
    assert [fault.title for fault in all_wrong] == ["notblank", "excludesall", "oneof", "min", "validtype"]


def test_the_sample_of_the_document() -> None:
    assert faults(units=None, slope="up", ttl=-1) == [
        Fault("required", "units is a required field", "units"),
        Fault("oneof", "slope must be one of [zero positive negative both derivative]", "slope"),
        Fault("min", "ttl must be 1 or greater", "ttl"),
    ]


def test_units_may_be_left_out_where_the_door_says_so() -> None:
    assert check(Draft(**GOOD | {"units": None}), units_required=False).units == ""
    assert faults(units_required=False, units=None, ttl=0) == [required("ttl")]


def test_the_nature_of_a_metric() -> None:
    assert nature("string", "zero") == "string_and_time"
    assert nature("int32", "zero") == "constant"
    assert nature("double", "derivative") == "volatile"
