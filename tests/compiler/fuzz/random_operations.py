# SPDX-License-Identifier: Apache-2.0
"""Operations on the values of random kernels."""

from collections.abc import Callable

import torch
from program_text import (
    BITS,
    DTYPES,
    EXACT_FLOATS,
    INTEGERS,
    LARGEST,
    NARROW_FLOATS,
    WIDE,
    Env,
    Shape,
    Value,
)
from random_values import ValueWriter


def _first(x: torch.Tensor, axis: int, extremum: Callable[..., torch.Tensor]) -> torch.Tensor:
    """The first index of the extremum."""
    equal = x == extremum(x, axis, keepdim=True)
    return equal.to(torch.int32).argmax(axis).to(torch.int32)


class OperationWriter(ValueWriter):
    """Adds elementwise operations, reductions, scans, shapes and products."""

    def unary(self, x: Value) -> Value:
        name = x.name
        if x.dtype == "int1":
            return self.define(f"{name} == 0", "int1", x.shape, [x], lambda env: ~x.of(env))
        choices = [(f"-{name}", lambda t: -t)]
        if x.dtype == "uint8":
            choices = [(f"~{name}", lambda t: ~t)]
        elif x.dtype in INTEGERS:
            choices += [(f"~{name}", lambda t: ~t), (f"tl.abs({name})", torch.abs)]
        else:
            choices.append((f"tl.abs({name})", torch.abs))
        text, function = self.r.choice(choices)
        return self.define(text, x.dtype, x.shape, [x], lambda env: function(x.of(env)), x.bound)

    def binary(self, x: Value, y: Value) -> Value:
        """Of the same dtype; shapes broadcast."""
        r = self.r
        shape = tuple(torch.broadcast_shapes(x.shape, y.shape))
        a, b = x.name, y.name
        both = [x, y]

        def define(text, function, dtype=x.dtype, bound=0, uses=both):
            return self.define(
                text, dtype, shape, uses,
                lambda env: function(x.of(env), y.of(env)).expand(shape), bound,
            )  # fmt: skip

        if r.random() < 0.2 and x.dtype != "int1":
            op, function = r.choice([
                ("<", torch.lt), ("<=", torch.le), (">", torch.gt), (">=", torch.ge),
                ("==", torch.eq), ("!=", torch.ne),
            ])  # fmt: skip
            return define(f"{a} {op} {b}", function, "int1")
        if x.dtype == "int1":
            op, function = r.choice([
                ("&", torch.bitwise_and), ("|", torch.bitwise_or), ("^", torch.bitwise_xor),
            ])  # fmt: skip
            return define(f"{a} {op} {b}", function)
        if x.dtype in INTEGERS:
            mask = BITS[x.dtype] - 1
            ops = [
                (f"{a} + {b}", torch.add), (f"{a} - {b}", torch.sub), (f"{a} * {b}", torch.mul),
                (f"{a} & {b}", torch.bitwise_and), (f"{a} | {b}", torch.bitwise_or),
                (f"{a} ^ {b}", torch.bitwise_xor),
                (f"tl.maximum({a}, {b})", torch.maximum), (f"tl.minimum({a}, {b})", torch.minimum),
                (f"{a} << ({b} & {mask})", lambda s, t: s << (t & mask)),
                (f"{a} >> ({b} & {mask})", lambda s, t: s >> (t & mask)),
            ]  # fmt: skip
            if r.random() < 0.25:
                y2 = self.define(
                    f"tl.where((({b} > -2) & ({b} < 2)), 3, {b}).to(tl.{x.dtype})"
                    if x.dtype != "uint8" else f"tl.where({b} < 2, 3, {b}).to(tl.uint8)",
                    y.dtype, y.shape, [y],
                    lambda env: torch.where(
                        (y.of(env).long() > -2) & (y.of(env) < 2), 3, y.of(env)
                    ).to(DTYPES[y.dtype]),
                )  # fmt: skip
                op, function = r.choice([
                    ("//", lambda s, t: torch.div(s, t, rounding_mode="trunc")),
                    ("%", torch.fmod),
                ])  # fmt: skip
                return self.define(
                    f"{a} {op} {y2.name}", x.dtype, shape, [x, y2],
                    lambda env: function(x.of(env), y2.of(env)).expand(shape),
                )  # fmt: skip
            return define(*r.choice(ops))
        if x.dtype in EXACT_FLOATS and r.random() < 0.1:
            return define(
                f"tl.floor({a} / tl.where({b} == 0.0, 1.0, {b}))",
                lambda s, t: (s / torch.where(t == 0, 1.0, t).to(t.dtype)).floor(),
                bound=x.bound + 1,
            )  # fmt: skip
        choice = r.randrange(5)
        if choice >= 3:
            name, function = ("maximum", torch.fmax) if choice == 3 else ("minimum", torch.fmin)
            # Of bfloat16 Triton gives float32.
            back = ".to(tl.bfloat16)" if x.dtype == "bfloat16" else ""
            return define(f"tl.{name}({a}, {b}){back}", function, bound=max(x.bound, y.bound))
        bound = x.bound * y.bound if choice == 2 else x.bound + y.bound
        if x.dtype in EXACT_FLOATS and bound > LARGEST:
            return self.binary(self.limit(x, 1000), self.limit(y, 1000))
        op, function = [("+", torch.add), ("-", torch.sub), ("*", torch.mul)][choice]
        return define(f"{a} {op} {b}", function, bound=bound)

    def where(self, x: Value, y: Value) -> Value:
        shape = tuple(torch.broadcast_shapes(x.shape, y.shape))
        condition = self.pick("int1", shape if self.r.random() < 0.8 else x.shape)
        return self.define(
            f"tl.where({condition.name}, {x.name}, {y.name})", x.dtype, shape, [condition, x, y],
            lambda env: torch.where(condition.of(env), x.of(env), y.of(env)).expand(shape),
            max(x.bound, y.bound),
        )  # fmt: skip

    def reduce(self, x: Value) -> Value:
        r = self.r
        axis = r.randrange(len(x.shape))
        shape = x.shape[:axis] + x.shape[axis + 1 :]
        if x.dtype in ("int8", "uint8", "int16", *NARROW_FLOATS) and r.random() < 0.5:
            # Of narrow floats only extrema do not depend on an order; NaN is left out.
            if x.dtype in NARROW_FLOATS or r.random() < 0.5:
                if x.dtype in NARROW_FLOATS:
                    x = self.cast(self.cast(x, "int32"), x.dtype)
                return self.define(
                    f"tl.reduce({x.name}, {axis}, largest)", x.dtype, shape, [x],
                    lambda env: x.of(env).amax(axis), x.bound,
                )  # fmt: skip
            return self.define(
                f"tl.reduce({x.name}, {axis}, add)", x.dtype, shape, [x],
                lambda env: x.of(env).sum(axis).to(DTYPES[x.dtype]),
            )  # fmt: skip
        if x.dtype not in WIDE:
            x = self.cast(x, r.choice(WIDE))
        keep = r.random() < 0.2
        kept = x.shape[:axis] + (1,) + x.shape[axis + 1 :] if keep else shape
        suffix = ", keep_dims=True)" if keep else ")"
        kind = r.choice(["sum", "max", "min", "argmax", "argmin", "pair"])
        if kind == "pair":
            index = self.define(
                f"tl.broadcast_to(tl.arange(0, {x.shape[axis]})"
                + ("" if len(x.shape) == 1 else "[:, None]" if axis == 0 else "[None, :]")
                + f", {x.shape})",
                "int32", x.shape, [],
                lambda env: torch.arange(x.shape[axis], dtype=torch.int32).reshape(
                    [-1 if d == axis else 1 for d in range(len(x.shape))]
                ).expand(x.shape),
            )  # fmt: skip
            return self.define(
                f"tl.reduce(({x.name}, {index.name}), {axis}, smaller_first)[1]", "int32", shape,
                [x, index], lambda env: _first(x.of(env), axis, torch.amin),
            )  # fmt: skip
        if kind.startswith("arg"):
            extremum = torch.amax if kind == "argmax" else torch.amin
            return self.define(
                f"tl.{kind}({x.name}, {axis}{suffix}", "int32", kept, [x],
                lambda env: _first(x.of(env), axis, extremum).reshape(kept),
            )  # fmt: skip
        if kind == "sum":
            x = self.limit(x, LARGEST // max(1, x.shape[axis]))
            return self.define(
                f"tl.sum({x.name}, {axis}{suffix}", x.dtype, kept, [x],
                lambda env: x.of(env).sum(axis).to(DTYPES[x.dtype]).reshape(kept),
                x.bound * x.shape[axis],
            )  # fmt: skip
        extremum = torch.amax if kind == "max" else torch.amin
        return self.define(
            f"tl.{kind}({x.name}, {axis}{suffix}", x.dtype, kept, [x],
            lambda env: extremum(x.of(env), axis).reshape(kept), x.bound,
        )  # fmt: skip

    def scan(self, x: Value) -> Value:
        r = self.r
        axis = r.randrange(len(x.shape))
        reverse = r.random() < 0.4
        x = self.limit(self.cast(x, r.choice(WIDE)), LARGEST // max(1, x.shape[axis]))
        total = r.random() < 0.6
        text = (
            f"tl.cumsum({x.name}, {axis}, reverse={reverse})"
            if total and r.random() < 0.5
            else f"tl.associative_scan({x.name}, {axis}, {'add' if total else 'largest'}, "
            f"reverse={reverse})"
        )

        def compute(env: Env) -> torch.Tensor:
            tensor = x.of(env).flip(axis) if reverse else x.of(env)
            result = tensor.cumsum(axis) if total else tensor.cummax(axis).values
            result = result.to(tensor.dtype)
            return result.flip(axis) if reverse else result

        bound = x.bound * x.shape[axis] if total else x.bound
        return self.define(text, x.dtype, x.shape, [x], compute, bound)

    def reshape(self, x: Value) -> Value:
        r = self.r
        choice = r.randrange(5)
        if len(x.shape) == 2 and choice < 2:
            return self.define(
                f"tl.trans({x.name})",
                x.dtype,
                x.shape[::-1],
                [x],
                lambda env: x.of(env).t(),
                x.bound,
            )
        elements = 1
        for extent in x.shape:
            elements *= extent
        if choice == 2:
            return self.define(
                f"tl.flip({x.name}, {len(x.shape) - 1})" if x.shape[-1] > 1 else x.name, x.dtype,
                x.shape, [x], lambda env: x.of(env).flip(-1), x.bound,
            )  # fmt: skip
        if choice == 3 and x.dtype != "int1" and elements <= 1024:
            y = self.pick(x.dtype, x.shape)
            return self.define(
                f"tl.split(tl.join({x.name}, {y.name}))[{(side := r.randrange(2))}]", x.dtype,
                x.shape, [x, y], lambda env: (x, y)[side].of(env), max(x.bound, y.bound),
            )  # fmt: skip
        if len(x.shape) == 2:
            shape: Shape = (elements,)
        else:
            rows = 2 ** r.randint(0, elements.bit_length() - 1)
            shape = (rows, elements // rows)
        return self.define(
            f"tl.reshape({x.name}, {shape})", x.dtype, shape, [x],
            lambda env: x.of(env).reshape(shape), x.bound,
        )  # fmt: skip

    def dot(self) -> Value:
        m, n, k = (2 ** self.r.randint(0, 5) for _ in range(3))
        dtype = self.r.choice(["float32", "float16", "bfloat16", "int8"])
        a, b = (
            self.cast(self.limit(self.cast(self.pick(None, s), "float32"), 8), dtype)
            for s in ((m, k), (k, n))
        )  # fmt: skip
        out = "int32" if dtype == "int8" else "float32"
        return self.define(
            f'tl.dot({a.name}, {b.name}, input_precision="ieee", out_dtype=tl.{out})', out, (m, n),
            [a, b], lambda env: (a.of(env).double() @ b.of(env).double()).to(DTYPES[out]), 64 * k,
        )  # fmt: skip
