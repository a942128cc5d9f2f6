#!/usr/bin/env python3
"""What the documentation names has to be there: links, files, man pages, and the tests that are said to prove something."""

import os
import re

from tap import SOURCE, Tap

LINK = re.compile(r"\[[^]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
QUOTED = re.compile(r"`([^`\n]+)`")
TEST_FILE = re.compile(r"[\w*/.-]+\.(?:py|sh)|(?:test|fuzz)-[\w*-]+\.c")
MAN_PAGE = re.compile(r"\*([\w.-]+)\*\((\d)\)|(?<![\w*.-])([a-z][\w.-]+)\((1|5|8)\)")
# Pages of others, which come with systemd, util-linux and the like.
FOREIGN = re.compile(r"systemd.*|journalctl|systemctl|wall|loginctl|mount|ps|docker|kubectl|grub-.*|openssl.*")


def documents(*endings):
    for directory in ("", "docs", "docs/examples", "docs/man"):
        path = os.path.join(SOURCE, directory)
        for name in sorted(os.listdir(path)):
            if name.endswith(endings):
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    yield os.path.join(directory, name), file.read()


def test_names():
    """Every file of tests/, by its name."""
    return {name for _, _, names in os.walk(os.path.join(SOURCE, "tests")) for name in names}


def broken_links():
    for path, text in documents(".md"):
        for link in LINK.findall(text):
            if "://" not in link and not os.path.exists(os.path.join(SOURCE, os.path.dirname(path), link)):
                yield f"{path}: {link}"


def missing_tests():
    there = test_names()
    for path, text in documents(".md"):
        for quoted in QUOTED.findall(text):
            if not TEST_FILE.fullmatch(quoted) or "*" in quoted:
                continue
            if os.path.basename(quoted) not in there and not os.path.exists(os.path.join(SOURCE, quoted)):
                yield f"{path}: {quoted}"


def missing_cases():
    """docs/faults.md names tests by their words: `updated-happy`: "a version that did not boot is an error"."""
    texts = []
    for directory, _, names in os.walk(os.path.join(SOURCE, "tests")):
        for name in names:
            if name.endswith((".py", ".sh", ".c", ".build")):
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    texts.append(re.sub(r'"\s*"', "", file.read()))  # a text of C in several pieces is one
    everything = "\n".join(texts)
    for path, text in documents("faults.md"):
        for program, words in re.findall(r'`([a-z][\w-]+)`(?: \([^)]*\))?:? ((?:"[^"]+"(?:, | and )?)+)', text):
            for sentence in re.findall(r'"([^"]+)"', words):
                parts = [part.strip() for part in re.split(r"…|\d+", sentence) if len(part.strip()) > 3]
                if not all(part in everything for part in parts):
                    yield f'{path}: {program}: "{sentence}"'


def missing_pages():
    ours = {name.removesuffix(".scd") for name in os.listdir(os.path.join(SOURCE, "docs/man"))}
    for path, text in documents(".md", ".scd"):
        for bold, section, plain, plain_section in MAN_PAGE.findall(text):
            name, number = bold or plain, section or plain_section
            if number in "158" and f"{name}.{number}" not in ours and not FOREIGN.fullmatch(name):
                yield f"{path}: {name}({number})"


def main():
    tap = Tap()
    tap.case("links lead somewhere", sorted(set(broken_links())))
    tap.case("tests that are named are there", sorted(set(missing_tests())))
    tap.case("cases that are named are there", sorted(set(missing_cases())))
    tap.case("man pages that are named are there", sorted(set(missing_pages())))
    tap.done()


main()
