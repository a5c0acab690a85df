# SPDX-License-Identifier: Apache-2.0
"""Values for random kernels: constants, loads with masks, conversions."""

import random
from collections.abc import Callable, Sequence

import torch
from program_text import (
    BUFFER,
    CARRIED,
    DTYPES,
    EXACT_FLOATS,
    INTEGERS,
    NARROW_FLOATS,
    Env,
    Shape,
    Statement,
    Value,
)


class ValueWriter:
    """Writes statements that define values; `self.r` decides everything."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.count = 0
        self.inputs = [self.r.choice(list(DTYPES)) for _ in range(self.r.randint(2, 4))]
        self.block: list[Statement] = []
        self.live: list[Value] = []
        self.frozen: set[str] = set()  # Loop counters.
        two = self.r.random() < 0.5
        self.shape: Shape = (
            (2 ** self.r.randint(0, 5), 2 ** self.r.randint(0, 6))
            if two
            else (2 ** self.r.randint(0, 9),)
        )

    def define(
        self,
        text: str,
        dtype: str,
        shape: Shape,
        uses: Sequence[Value | str],
        compute: Callable[[Env], torch.Tensor],
        bound: int = 0,
    ) -> Value:
        self.count += 1
        value = Value(f"v{self.count}", dtype, shape, bound)

        def run(env: Env) -> None:
            result = compute(env)
            assert result.dtype == DTYPES[dtype] and tuple(result.shape) == shape, text
            env[value.name] = result

        names = {use if isinstance(use, str) else use.name for use in uses}
        self.block.append(Statement(f"{value.name} = {text}", run, {value.name}, names))
        self.live.append(value)
        return value

    def assign(self, target: Value, source: Value) -> None:
        """target = source, of the same type; exact floats stay below CARRIED."""
        source = self.limit(source, CARRIED)

        def run(env: Env) -> None:
            env[target.name] = source.of(env)

        text = f"{target.name} = {source.name}"
        self.block.append(Statement(text, run, {target.name}, {source.name}))

    def limit(self, x: Value, bound: int) -> Value:
        if x.dtype not in EXACT_FLOATS or x.bound <= bound:
            return x
        return self.define(
            f"tl.minimum(tl.maximum({x.name}, {-bound}.0), {bound}.0)", x.dtype, x.shape, [x],
            lambda env: x.of(env).clamp(-bound, bound), bound,
        )  # fmt: skip

    def arange(self, size: int) -> Value:
        return self.define(
            f"tl.arange(0, {size})", "int32", (size,), [],
            lambda env: torch.arange(size, dtype=torch.int32), 0,
        )  # fmt: skip

    def constant(self, dtype: str, shape: Shape) -> Value:
        number = self.r.randint(0, 1) if dtype == "int1" else self.r.randint(0, 9)
        if shape == () and dtype in INTEGERS:
            text = f"tl.full((), {number}, tl.{dtype})"
        else:
            text = f"tl.full({shape}, {number}, tl.{dtype})"
        return self.define(
            text, dtype, shape, [],
            lambda env: torch.full(shape, number).to(DTYPES[dtype]), abs(number),
        )  # fmt: skip

    def offsets(self, shape: Shape) -> tuple[str, Callable[[Env], torch.Tensor], list[str]]:
        """Text and tensor of in-range element numbers, by one of several patterns."""
        r = self.r
        elements = 1
        for extent in shape:
            elements *= extent
        if shape == ():
            number = r.randint(0, BUFFER - 1)
            return str(number), lambda env: torch.tensor(number), []
        if r.random() < 0.2:  # A gather.
            index = self.pick("int32", shape)
            return (
                f"({index.name} & {BUFFER - 1})",
                lambda env: (index.of(env) & (BUFFER - 1)).long(),
                [index.name],
            )
        terms, parts = [], []
        budget = BUFFER - 1
        for d, extent in enumerate(shape):
            stride = r.choice([0, 1, 1, 1, 2, 3, 5, extent, elements // extent])
            stride = min(stride, budget // max(1, extent))
            budget -= stride * (extent - 1)
            view = ["None"] * len(shape)
            view[d] = ":"
            index = "" if len(shape) == 1 else f"[{', '.join(view)}]"
            backwards = r.random() < 0.15
            lane = f"({extent - 1} - tl.arange(0, {extent}))" if backwards else (
                f"tl.arange(0, {extent})"
            )  # fmt: skip
            terms.append(f"{lane}{index} * {stride}")
            lanes = torch.arange(extent)
            size = [1] * len(shape)
            size[d] = extent
            parts.append((lanes.flip(0) if backwards else lanes).reshape(size) * stride)
        base = r.randint(0, max(0, budget // 8))
        per_program = r.random() < 0.5 and budget // 8 > 0
        step = budget // 8 if per_program else 0
        offsets = sum(parts[1:], parts[0]) + base
        text = " + ".join([*terms, str(base)] + ([f"pid * {step}"] if step else []))
        return text, lambda env: offsets + env["pid"].long() * step, ["pid"]

    def mask(self, shape: Shape) -> Value | None:
        r = self.r
        if shape == () or r.random() < 0.25:
            return None
        if r.random() < 0.2:
            return self.pick("int1", shape)
        # Bounds on lanes, which the compiler makes loop bounds of.
        conditions, texts = [], []
        for d, extent in enumerate(shape):
            view = ["None"] * len(shape)
            view[d] = ":"
            index = "" if len(shape) == 1 else f"[{', '.join(view)}]"
            limit, op = r.randint(-1, extent + 1), r.choice(["<", "<", "<=", ">", ">=", "!="])
            runtime = r.random() < 0.4
            lanes = torch.arange(extent).reshape(
                [extent if e == d else 1 for e in range(len(shape))]
            )
            end = "n" if runtime else str(limit)
            texts.append(f"(tl.arange(0, {extent}) {op} {end}){index}")

            def condition(env: Env, lanes=lanes, op=op, runtime=runtime, limit=limit):
                end = env["n"] if runtime else limit
                return {
                    "<": lanes < end, "<=": lanes <= end, ">": lanes > end,
                    ">=": lanes >= end, "!=": lanes != end,
                }[op]  # fmt: skip

            conditions.append(condition)

        def compute(env: Env) -> torch.Tensor:
            result = torch.ones(shape, dtype=torch.bool)
            for condition in conditions:
                result = result & condition(env)
            return result

        text = " & ".join(texts)
        if len(shape) > 1:
            text = f"tl.broadcast_to({text}, {shape})"
        return self.define(text, "int1", shape, ["n"], compute)

    def load(self, dtype: str | None, shape: Shape) -> Value:
        r = self.r
        choices = [i for i, kind in enumerate(self.inputs) if dtype in (None, kind)]
        if not choices:
            return self.cast(self.load(None, shape), dtype or "int32")
        i = r.choice(choices)
        kind = self.inputs[i]
        offsets, compute, uses = self.offsets(shape)
        mask = self.mask(shape)
        other = r.choice([0, 1, 5]) if kind != "int1" else 0
        text = f"tl.load(in{i} + {offsets}"
        if mask is not None:
            text += f", mask={mask.name}, other={other}"
            uses = [*uses, mask.name]

        def run(env: Env) -> torch.Tensor:
            loaded = env[f"in{i}"][compute(env).expand(shape)]
            if mask is not None:
                loaded = torch.where(mask.of(env), loaded, torch.tensor(other).to(loaded.dtype))
            return loaded.reshape(shape)

        return self.define(text + ")", kind, shape, [*uses, f"in{i}"], run, 8)

    def pick(self, dtype: str | None, shape: Shape) -> Value:
        """A value of this type: one that exists if there is one, mostly."""
        fitting = [v for v in self.live if v.shape == shape and dtype in (None, v.dtype)]
        if fitting and self.r.random() < 0.75:
            return self.r.choice(fitting[-8:])  # So that results are used, mostly.
        others = [v for v in self.live if v.shape == shape]
        choice = self.r.random()
        if dtype is not None and others and choice < 0.4:
            return self.cast(self.r.choice(others), dtype)
        if choice < 0.8:
            return self.load(dtype, shape)
        return self.constant(dtype or self.r.choice(INTEGERS), shape)

    def cast(self, x: Value, dtype: str) -> Value:
        if x.dtype == dtype:
            return x
        target = DTYPES[dtype]
        if dtype == "int1":
            zero = "" if x.dtype in INTEGERS else ".0"
            return self.define(
                f"{x.name} != 0{zero}", dtype, x.shape, [x], lambda env: x.of(env) != 0
            )
        from_float = x.dtype in NARROW_FLOATS + EXACT_FLOATS
        to_float = dtype in NARROW_FLOATS + EXACT_FLOATS
        if from_float and x.dtype in NARROW_FLOATS and dtype not in NARROW_FLOATS:
            # Small integers from anything, NaN included.
            wide = self.define(
                f"tl.where(tl.abs({x.name}.to(tl.float32)) < 100.0, "
                f"tl.floor({x.name}.to(tl.float32)), 1.0)",
                "float32", x.shape, [x],
                lambda env: torch.where(
                    x.of(env).float().abs() < 100, x.of(env).float().floor(), 1.0
                ),
                100,
            )  # fmt: skip
            return self.cast(wide, dtype)
        if from_float and not to_float:
            signed = x = self.limit(x, 100)
            if dtype == "uint8":
                x = self.define(
                    f"tl.abs({signed.name})", x.dtype, x.shape, [signed],
                    lambda env: signed.of(env).abs(), 100,
                )  # fmt: skip
        if not from_float and to_float and x.dtype != "int1":
            # What all floats hold.
            x = x if x.dtype in ("int8", "uint8") else self.remainder(x, 100)
        bound = {"int1": 1, "int8": 128, "uint8": 255}.get(x.dtype, max(x.bound, 100))
        return self.define(
            f"{x.name}.to(tl.{dtype})", dtype, x.shape, [x], lambda env: x.of(env).to(target), bound
        )

    def remainder(self, x: Value, divisor: int) -> Value:
        return self.define(
            f"{x.name} % {divisor}", x.dtype, x.shape, [x],
            lambda env: torch.fmod(x.of(env), divisor).to(DTYPES[x.dtype]),
        )  # fmt: skip
