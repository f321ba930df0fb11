"""Headers that apps answer with."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.worker.headers import encode


def test_order_and_duplicates_are_kept_names_are_lowered() -> None:
    fields = encode([(b"Set-Cookie", b"a=1"), (b"X", b""), [b"set-cookie", b" b=2 "]])
    assert fields.block == b"set-cookie\0a=1\0x\0\0set-cookie\0b=2"
    assert fields.length == -1


def test_any_iterable_is_taken() -> None:
    assert encode(pair for pair in [(b"a", b"1")]).block == b"a\x001"
    assert encode({b"a": b"1"}.items()).block == b"a\x001"
    assert encode([(bytearray(b"A"), memoryview(b"1"))]).block == b"a\x001"
    assert encode([]).block == encode(()).block == b""


def test_hop_by_hop_headers_are_dropped() -> None:
    given = [(b"Transfer-Encoding", b"chunked"), (b"connection", b"close"), (b"keep-alive", b"1"), (b"a", b"1")]
    assert encode(given).block == b"a\x001"


def test_content_length_is_read() -> None:
    assert encode([(b"Content-Length", b"12")]).length == 12
    for value in (b"+5", b"0x5", b"5_0", b"", b"5, 5", b"-1", "٣".encode()):
        with pytest.raises(ValueError, match="content-length"):
            encode([(b"content-length", value)])
    with pytest.raises(ValueError, match="twice"):
        encode([(b"content-length", b"1"), (b"content-length", b"1")])


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\n", b"a\0", b"\xe4", b":path", b"a\x7f", b"(x)"])
def test_a_name_has_to_be_a_token(name: bytes) -> None:
    with pytest.raises(ValueError):
        encode([(name, b"1")])


@pytest.mark.parametrize("code", [code for code in range(32) if code != 9] + [127])
def test_control_bytes_in_a_value_are_refused(code: int) -> None:
    with pytest.raises(ValueError):
        encode([(b"a", b"x" + bytes([code]) + b"y")])


def test_tab_and_high_bytes_may_stand_in_a_value() -> None:
    assert encode([(b"a", b"x\ty\x80\xff")]).block == b"a\0x\ty\x80\xff"


@pytest.mark.parametrize("headers", [[("a", b"1")], [(b"a", "1")], [(b"a", 1)], [b"ab"], ["ab"], [1], 3])
def test_what_is_not_pairs_of_bytes_is_a_type_error(headers: Any) -> None:
    with pytest.raises(TypeError):
        encode(headers)


def test_a_pair_is_two_things() -> None:
    for headers in ([(b"a",), (b"b", b"c", b"d")], [(b"a", b"b", b"c"), (b"d",)], [(b"a",)]):
        with pytest.raises(ValueError):
            encode(headers)


def test_the_cache_cannot_be_used_to_smuggle_a_header() -> None:
    assert encode([(b"a", b"1"), (b"b", b"2")]).block == b"a\x001\0b\x002"
    with pytest.raises(ValueError):
        encode([(b"a", b"1\0b\x002")])
    with pytest.raises(ValueError):
        encode([(b"a\x001\0b", b"2")])


def test_many_different_headers_do_not_pile_up() -> None:
    from headrace.worker import headers

    for number in range(3000):
        encode([(b"x-%d" % number, b"1")])
    assert len(headers._known) <= 512 and len(headers._names) <= 512
