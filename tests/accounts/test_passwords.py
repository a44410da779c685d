from __future__ import annotations

import threading
import time
import unicodedata

import argon2
import pytest

from quantflux.accounts.passwords import Passwords, check_new
from quantflux.core.errors import Busy, InvalidRequest
from tests.accounts.material import PASSWORD, cheap_passwords

_TEXT = """
password1 Password1! P@ssw0rd P@$$w0rd2024 passw0rd123 12345678 123456789 1234567890 0987654321 11111111 00000000
12121212 abcd1234 1234abcd abc12345 qwertyuiop qwerty123 Qwerty2024! 1q2w3e4r 1qaz2wsx q1w2e3r4 zaq12wsx asdfghjkl
asdfghjkl1 zxcvbnm123 iloveyou iloveyou1 sunshine1 princess! football99 baseball1 dragon2023 monkey123 letmein1
welcome1 Welcome123! admin123 administrator adminadmin root1234 changeme changeme123 master123 shadow12 superman1
batman2020 starwars trustno1 whatever1 michael1 jennifer jordan23 charlie1 liverpool1 chelsea1 arsenal12 computer1
internet1 samsung1 woaini1314 woaini5201314 beijing2024 shanghai1 gupiao888 stockmarket trading1 Summer2024! winter2023
january01 Monday123 secret12 test1234 testtest guest123 aaaaaaaa abababab abcabcabc qweqweqwe asdasdasd zzzzzzz1
Quantflux1 quantflux2024! quantflux quant123456 li.wei2024 liwei123 welcomeadmin passwordpassword adminpassword
87654321 abcdefgh abcdefghi qazwsxedc !@#$%^&* letmeinnow1
"""
COMMON = _TEXT.split()

FINE = [
    PASSWORD,
    "rainovernine",
    "xk7#pQ2v",
    "correct horse battery staple",
    "今天天气很好我们去爬山",
    "tungsten-lantern",
    "a" * 60 + "bcdefg" + "h" * 62,
    "🐎🔋📎✔️🎻🏔️🌧️🍵",
]


@pytest.mark.parametrize("password", COMMON)
def test_what_is_tried_first_is_refused(password):
    with pytest.raises(InvalidRequest):
        check_new(password, "li.wei")


@pytest.mark.parametrize("password", FINE)
def test_other_passwords_need_no_digits_and_no_signs(password):
    check_new(password, "li.wei")


def test_eight_to_128_characters_count_as_people_count_them():
    check_new("tqzmrhvk", "li.wei")
    check_new("山" * 100 + "川河海湖" * 7, "li.wei")  # 384 bytes
    for length in (7, 129):
        with pytest.raises(InvalidRequest, match=f"has {length} characters"):
            check_new(("tqzmrhvk" * 20)[:length], "li.wei")
    with pytest.raises(InvalidRequest, match="half a character"):
        check_new("tqzmrhvk\ud800", "li.wei")


def test_no_byte_of_a_password_is_lost():
    passwords = cheap_passwords()
    long = "x" * 127
    for one, another in [
        (long + "a", long + "b"),
        ("y" * 72 + "tail one", "y" * 72 + "tail two"),  # where bcrypt stops
        ("nul\x00inside one", "nul\x00inside two"),
        ("trailing", "trailing "),
        ("Grüße aus", unicodedata.normalize("NFD", "Grüße aus")),
    ]:
        kept = passwords.hash(one)
        assert passwords.verify(kept, one) and not passwords.verify(kept, another)


def test_what_is_kept_is_argon2id_above_the_recommended_cost():
    passwords = Passwords()
    kept = passwords.hash(PASSWORD)
    found = argon2.extract_parameters(kept)

    assert found.type is argon2.Type.ID
    assert (
        found.memory_cost >= 19 * 1024
        and found.time_cost >= 2
        and found.salt_len >= 16
        and found.hash_len >= 32
    )
    assert argon2.PasswordHasher().verify(kept, PASSWORD)  # a hasher that knows nothing of ours
    assert not passwords.is_outdated(kept)
    assert passwords.is_outdated(cheap_passwords().hash(PASSWORD))


def test_what_is_kept_may_be_damaged():
    assert not cheap_passwords().verify("$argon2id$v=19$m=8,t=1,p=1$nonsense", PASSWORD)
    assert not cheap_passwords().verify("", PASSWORD)


def test_two_are_hashed_at_once_and_a_bounded_number_waits(monkeypatch):
    passwords = cheap_passwords()
    lock, running, most, answers = threading.Lock(), 0, 0, []
    kept = passwords.hash(PASSWORD)

    class Slow:
        def verify(self, *_: object) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1
            return True

    monkeypatch.setattr(passwords, "_hasher", Slow())
    gate = threading.Barrier(30)

    def verify() -> None:
        gate.wait()
        try:
            answers.append(passwords.verify(kept, PASSWORD))
        except Busy:
            answers.append("busy")

    threads = [threading.Thread(target=verify) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 2
    assert answers.count(True) >= 18 and answers.count("busy") + answers.count(True) == 30
