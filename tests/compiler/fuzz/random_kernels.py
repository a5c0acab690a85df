# SPDX-License-Identifier: Apache-2.0
"""Random Triton kernels, each with a program of torch operations that computes the same.

    kernel = random_kernel(seed)
    kernel.source()                  # of one @triton.jit function `kernel`
    kernel.reference(arguments)      # what it stores

Every statement has its Triton text and a function on torch tensors. The results agree to the last
bit, because nothing in them depends on an order or on fused multiply-adds: float32 and float64 hold
integers below 2^22, and operations on float16 and bfloat16 round one by one. What Triton leaves
undefined is not generated: out-of-range conversions, division by zero, masked loads without
`other`, loads of what other lanes store.
"""

from collections.abc import Callable, Sequence

import torch
from program_text import CARRIED, DTYPES, Env, Kernel, Statement, Stop, Value, product, run_all
from random_operations import OperationWriter


class Generator(OperationWriter):
    """Adds control flow, and chooses what to write."""

    def nested(self, write: Callable[[], None]) -> list[Statement]:
        """The statements that `write` adds, whose variables are not seen behind them."""
        outside, live = self.block, list(self.live)
        self.block = []
        write()
        inner, self.block, self.live = self.block, outside, live
        return inner

    def carried(self) -> list[Value]:
        """Variables that a nested block may change: new ones, so that bounds hold in loops."""
        result = []
        for _ in range(self.r.randint(1, 3)):
            shape = self.r.choice([self.shape, self.shape, ()])
            start = self.limit(self.pick(None, shape), CARRIED)
            copy = self.define(
                start.name, start.dtype, shape, [start], lambda env, start=start: start.of(env)
            )
            copy.bound = CARRIED
            result.append(copy)
        return result

    def update(self, carried: Sequence[Value], depth: int) -> None:
        for _ in range(self.r.randint(0, 2)):
            self.step(depth + 1)
        for target in carried:
            if self.r.random() < 0.8:
                self.assign(target, self.binary_of(target))

    def binary_of(self, x: Value) -> Value:
        y = self.pick(x.dtype, self.r.choice([x.shape, ()]))
        for _ in range(20):
            result = self.binary(x, y) if self.r.random() < 0.8 else self.unary(x)
            if result.dtype == x.dtype:
                return result
        return x

    def condition(self) -> tuple[str, Callable[[Env], bool], set[str]]:
        r = self.r
        number = r.randint(0, 3)
        scalars = [v for v in self.live if v.shape == () and v.dtype in ("int32", "int64")]
        choice = r.choice(["pid", "s", "value"])
        if choice == "value" and scalars:
            value = r.choice(scalars)
            return (
                f"{value.name} > {number}",
                lambda env: bool(value.of(env) > number),
                {value.name},
            )
        name = "pid" if choice == "pid" else "s"
        return f"{name} > {number}", lambda env: bool(env[name] > number), {name}

    def branch(self, depth: int) -> None:
        carried = self.carried()
        text, holds, uses = self.condition()
        yes = self.nested(lambda: self.update(carried, depth))
        no = self.nested(lambda: self.update(carried, depth)) if self.r.random() < 0.6 else []

        def run(env: Env) -> None:
            run_all(yes if holds(env) else no, env)

        blocks = [(f"if {text}:", yes)] + ([("else:", no)] if no else [])
        self.control(run, uses, blocks)

    def loop(self, depth: int) -> None:
        r = self.r
        carried = self.carried()
        self.count += 1
        counter = f"i{self.count}"
        kind = r.choice(["range", "range", "runtime", "static", "while"])
        first, last, step = r.randint(0, 2), r.randint(0, 4), r.choice([1, 1, 2])

        def write() -> None:
            self.live.append(Value(counter, "int32", ()))
            self.update(carried, depth)

        # A static counter is no tensor.
        body = self.nested((lambda: self.update(carried, depth)) if kind == "static" else write)

        def run(env: Env) -> None:
            end = int(env["s"]) if kind == "runtime" else last
            for i in range(first, end, step):
                env[counter] = torch.tensor(i, dtype=torch.int32)
                run_all(body, env)

        uses = {"s"} if kind == "runtime" else set()
        if kind == "while":
            self.block.append(
                Statement(
                    f"{counter} = tl.full((), {first}, tl.int32)",
                    lambda env: None,
                    {counter},
                    set(),
                )
            )
            body.append(Statement(f"{counter} += {step}", lambda env: None, {counter}, {counter}))
            self.control(run, {counter}, [(f"while {counter} < {last}:", body)])
            return
        function = "tl.static_range" if kind == "static" else "range"
        end = "s" if kind == "runtime" else str(last)
        head = f"for {counter} in {function}({first}, {end}, {step}):"
        self.control(run, uses, [(head, body)])

    def control(
        self,
        run: Callable[[Env], None],
        uses: set[str],
        blocks: list[tuple[str, list[Statement]]],
    ) -> None:
        inner = [statement for _, body in blocks for statement in body]
        defines = set().union(*(statement.defines for statement in inner))
        used = set().union(*(statement.uses for statement in inner))
        self.block.append(Statement("", run, defines, used | defines | uses, blocks))

    def step(self, depth: int = 0) -> None:
        r = self.r
        choice = r.random()
        shape = r.choice([self.shape, self.shape, self.shape, ()])
        if depth < 2 and choice < 0.12:
            self.loop(depth)
        elif depth < 2 and choice < 0.2:
            self.branch(depth)
        elif choice < 0.3:
            self.load(None, shape)
        elif choice < 0.36:
            self.cast(self.pick(None, shape), r.choice(list(DTYPES)))
        elif choice < 0.42:
            self.unary(self.pick(None, shape))
        elif choice < 0.5:
            x = self.pick(None, shape)
            self.where(x, self.pick(x.dtype, r.choice([shape, ()])))
        elif choice < 0.6:
            x = self.reduce(self.pick(None, self.shape))
            if len(x.shape) == 1 and len(self.shape) == 2 and r.random() < 0.7:
                self.broadcast_back(x)
        elif choice < 0.66:
            self.scan(self.pick(None, self.shape))
        elif choice < 0.74:
            self.reshape(
                r.choice([v for v in self.live if v.shape] or [self.load(None, self.shape)])
            )
        elif choice < 0.77:
            self.dot()
        else:
            x = self.pick(None, shape)
            self.binary(x, self.pick(x.dtype, r.choice([shape, shape, ()])))

    def broadcast_back(self, x: Value) -> None:
        """Combines a row or column with a tile, as softmax does."""
        axes = [d for d in range(2) if self.shape[d] == x.shape[0]]
        if not axes:
            return
        axis = self.r.choice(axes)
        shape = (x.shape[0], 1) if axis == 0 else (1, x.shape[0])
        view = "[:, None]" if axis == 0 else "[None, :]"
        wide = self.define(
            f"{x.name}{view}", x.dtype, shape, [x], lambda env: x.of(env).reshape(shape), x.bound
        )
        self.binary(self.pick(x.dtype, self.shape), wide)

    def store(self, x: Value, index: int) -> None:
        elements = 1
        for extent in x.shape:
            elements *= extent
        mask = self.mask(x.shape)
        layout = " + ".join(
            f"tl.arange(0, {extent})"
            + (
                ""
                if len(x.shape) == 1
                else f"[{', '.join(':' if e == d else 'None' for e in range(len(x.shape)))}]"
            )
            + f" * {elements // product(x.shape[: d + 1])}"
            for d, extent in enumerate(x.shape)
        )
        where = f"out{index} + pid * {elements}" + (f" + {layout}" if layout else "")
        text = f"tl.store({where}, {x.name}" + (f", mask={mask.name})" if mask else ")")

        def run(env: Env) -> None:
            part = env[f"out{index}"][int(env["pid"]) * elements :][:elements].reshape(x.shape)
            part.copy_(torch.where(mask.of(env), x.of(env), part) if mask else x.of(env))

        uses = {x.name, f"out{index}"} | ({mask.name} if mask else set())
        self.block.append(Statement(text, run, {f"out{index}"}, uses, is_output=True))


def random_kernel(seed: int) -> Kernel:
    """Equal seeds give equal kernels."""
    g = Generator(seed)
    r = g.r
    for _ in range(r.randint(4, 14)):
        g.step()
    if r.random() < 0.15:
        text, holds, uses = g.condition()

        def leave(env: Env) -> None:
            if holds(env):
                raise Stop

        stop = Statement("return", leave, set(), set())
        g.block.append(Statement("return", leave, set(), uses, [(f"if {text}:", [stop])]))
    live = [v for v in g.live if not v.name.startswith("i")]
    last = live[-16:] or [g.load(None, g.shape)]
    chosen = r.sample(last, min(len(last), r.randint(1, 5)))
    outputs = []
    for i, value in enumerate(chosen):
        outputs.append((value.dtype, product(value.shape)))
        g.store(value, i)
    return Kernel(
        seed, g.inputs, outputs, g.block, r.randint(1, 3), r.randint(0, 70), r.randint(0, 5)
    )
