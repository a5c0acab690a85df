# SPDX-License-Identifier: Apache-2.0
"""What comes before a tile of a row, within one launch, bitwise equal from run to run.

Every program publishes its tile's total and waits for those before it. GROUP tiles are a group,
whose total its last tile publishes; what comes before a tile is the groups before its own and then
the tiles of its own, each combined by one reduction, whatever the order in which they arrived.
Tiles go to programs in the order of tickets, so that a program waits only for programs that have
begun, and those for none behind them: no launch can hang, whatever else occupies the machine.

A word has 32 bits of a total and, above them, whether it was published: accesses to memory need no
order among each other. Words are zero when the launch begins; those of a total are `plane` apart.

No read has fewer lanes than a program has threads: copies of a lane in several threads could see
different words, of which the one that was published would end the wait of all.
"""

import triton
import triton.language as tl

_PUBLISHED = tl.constexpr(1 << 32)


@triton.jit
def take_ticket(counter):
    return tl.atomic_add(counter, 1, sem="relaxed")


@triton.jit
def _publish_word(word, bits):
    tl.atomic_xchg(word, (bits & 0xFFFFFFFF) | _PUBLISHED, sem="relaxed")


@triton.jit
def publish(word, plane, total):
    """`total`: numbers of 32 or 64 bits."""
    for i in tl.static_range(len(total)):
        if total[i].dtype.primitive_bitwidth == 64:
            bits = total[i].to(tl.int64, bitcast=True)
            _publish_word(word, bits)
            word += plane
            _publish_word(word, bits >> 32)
        else:
            _publish_word(word, total[i].to(tl.int32, bitcast=True).to(tl.int64))
        word += plane


@triton.jit
def read(word, plane, mask, WORDS: tl.constexpr):
    """The words of totals as they are now."""
    words = ()
    for i in tl.static_range(WORDS):
        at = word + i * plane
        words = words + (tl.load(at, mask=mask, other=_PUBLISHED, volatile=True),)
    return words


@triton.jit
def _is_missing(words):
    all_of_them = words[0]
    for i in tl.static_range(1, len(words)):
        all_of_them &= words[i]
    return tl.min(all_of_them >> 32, 0) == 0


@triton.jit
def wait(words, word, plane, mask):
    """The words of totals once all are published. `words`: as they were read before."""
    while _is_missing(words):
        words = read(word, plane, mask, len(words))
    return words


@triton.jit
def numbers(words, mask, identity):
    """The totals; `identity` outside the mask."""
    totals = ()
    for i in tl.static_range(len(identity)):
        if identity[i].dtype.primitive_bitwidth == 64:
            bits = (words[0] & 0xFFFFFFFF) | (words[1] << 32)
            words = words[2:]
        else:
            bits = words[0].to(tl.int32)
            words = words[1:]
        number = bits.to(identity[i].dtype, bitcast=True)
        totals = totals + (tl.where(mask, number, identity[i]),)
    return totals
