# SPDX-License-Identifier: Apache-2.0
"""Real sentences for the demo: what the documentation of installed software says.

`collect()` imports modules of Python's standard library and of torch and takes the first sentence
of the docstring of each public class, function and method. Nothing is shipped or downloaded, and
the order is fixed, so two runs on one installation encode the same text.
"""

import contextlib
import importlib
import inspect
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Modules that import quickly and without side effects; those that do not exist on a platform are
# skipped. Of the first group every entry is taken, of the others an even share.
_FIRST = (
    "builtins os os.path subprocess shutil collections itertools functools math random statistics "
    "re textwrap datetime json tempfile glob threading bisect heapq copy contextlib"
).split()
_STANDARD_LIBRARY = (
    "signal multiprocessing.process queue asyncio.tasks collections.abc operator array weakref "
    "types enum dataclasses abc io pathlib fnmatch stat zipfile tarfile gzip bz2 lzma zlib csv "
    "configparser pickle struct codecs string difflib unicodedata calendar time zoneinfo cmath "
    "decimal fractions hashlib hmac secrets base64 binascii uuid socket ssl select selectors "
    "socketserver http.client http.server urllib.parse urllib.request email.message html ftplib "
    "smtplib logging argparse getpass shlex platform errno ctypes sys inspect ast dis tokenize "
    "traceback warnings gc timeit cProfile pdb unittest doctest sqlite3 mmap fcntl resource pwd "
    "locale gettext sched graphlib concurrent.futures ipaddress mimetypes linecache filecmp bdb "
    "code pprint reprlib keyword"
).split()
_TORCH = (
    "torch torch.linalg torch.fft torch.special torch.nn torch.nn.functional torch.nn.init "
    "torch.nn.utils torch.optim torch.optim.lr_scheduler torch.utils.data torch.autograd "
    "torch.cuda torch.random"
).split()

_ROLE = re.compile(r":[a-z:]+:`~?\.?([^`<]*?)(?:\s*<[^`]*>)?`")
_LINK = re.compile(r"`?([^`<]+?)\s*<https?:[^>]*>`?_+")
_LEGACY_TENSOR = re.compile(r"\w+(Tensor|Storage)$")  # torch.FloatTensor and its like
_SENTENCE_END = re.compile(r"(?<=[a-z0-9)\]`'\"])\.(?=\s|$)")
_SIGNATURE = re.compile(r"^[\w.]+\s*\(.*?\)\s*(->.*)?$", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One documented function, method or class and the sentence that describes it."""

    name: str
    sentence: str


def first_sentence(docstring: str) -> str | None:
    """The first sentence of a docstring as plain text, or None if it holds no prose."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(docstring)):
        text = " ".join(_LINK.sub(r"\1", _ROLE.sub(r"\1", paragraph)).replace("`", "").split())
        # Builtins and torch put the signature first; rst directives and doctests are no prose.
        if not text or text.startswith(("..", ">>>", "-", "*", "=")) or _SIGNATURE.match(text):
            continue
        sentence = _SENTENCE_END.split(text, maxsplit=1)[0].rstrip(" :;,.") + "."
        words = sentence.split()
        prose = 4 <= len(words) <= 40 and sum(word.isascii() for word in words) == len(words)
        return sentence if prose else None
    return None


def collect(minimum: int = 1000, maximum: int = 1600) -> list[Entry]:
    """Between `minimum` and `maximum` entries with distinct sentences, in a fixed order."""
    seen: set[str] = set()
    first = _entries(_FIRST, seen)
    others = _entries((*_STANDARD_LIBRARY, *_TORCH), seen)
    if len(first) + len(others) < minimum:
        raise RuntimeError(
            f"only {len(first) + len(others)} documented functions were found: this Python was "
            "built or is started without docstrings (python -OO); use one that has them"
        )
    wanted = min(len(others), max(maximum - len(first), 0))
    shares = [others[index * len(others) // wanted] for index in range(wanted)]
    return (first + shares)[:maximum]


def _entries(module_names: Sequence[str], seen: set[str]) -> list[Entry]:
    """The entries of these modules whose sentences are not in `seen`, which grows by them."""
    entries = []
    for module_name in module_names:
        for name, docstring in _documented(module_name):
            sentence = first_sentence(docstring)
            if sentence is not None and sentence not in seen:
                seen.add(sentence)
                entries.append(Entry(name, sentence))
    return entries


def _documented(module_name: str) -> Iterator[tuple[str, str]]:
    """(qualified name, docstring) of the public members of a module and of its classes."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            return
    prefix = "" if module_name == "builtins" else module_name + "."
    package = module_name.partition(".")[0]
    for name, member in _public_members(module):
        origin = getattr(member, "__module__", None) or module_name
        # `from typing import Any` makes nothing a member of the module that did it.
        if not callable(member) or origin.lstrip("_").partition(".")[0] not in (
            package,
            "builtins",
            "posix",
            "torch",
        ):
            continue
        if _LEGACY_TENSOR.match(name):
            continue
        if inspect.isclass(member) and not issubclass(member, BaseException):
            for method_name, method in _public_members(member, own=True):
                if callable(method) and isinstance(method.__doc__, str):
                    yield f"{prefix}{name}.{method_name}", method.__doc__
        if isinstance(member.__doc__, str):
            yield prefix + name, member.__doc__


def _public_members(owner: object, own: bool = False) -> list[tuple[str, object]]:
    names = vars(owner) if own else dir(owner)
    members = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in sorted(names):
            if not name.startswith("_"):
                # Lazily computed attributes may raise anything; such a member is no function.
                with contextlib.suppress(Exception):
                    members.append((name, getattr(owner, name)))
    return members
