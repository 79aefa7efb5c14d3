"""Cases for branches and loops: small functions that Paddle turns into `if` and `while` blocks."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, i64, values

X = f32("B", 3)
POSITIVE, NEGATIVE = f32("B", 3, low=0.5), f32("B", 3, high=-0.5)


def both(ops: str, expression: str, setup: str, **arguments: object) -> list[Case]:
    """The same function with inputs that take one branch and the other."""
    return [case(ops, expression, x=x, setup=setup, **arguments) for x in (POSITIVE, NEGATIVE)]


SUM = "if x.sum() > 0:\n"
COUNT = "i = paddle.zeros([1], 'int64')\ny = x\nwhile i < n:\n"

CASES = [
    # branches
    *both("if", "y", SUM + "    y = x + 1\nelse:\n    y = x - 1", grad=True),
    *both("if", "y", "y = x\n" + SUM + "    y = x * 2"),
    *both("if", "y, z", "y = z = x\n" + SUM + "    y = x + 1\nelse:\n    z = x * 2"),
    *both("if", "y", "y = x * 3\n" + SUM + "    y = paddle.concat([x, y])"),
    *both("if", "y", SUM + "    y = x.max()\nelse:\n    y = x.min() * 2"),
    *both("if", "y", SUM + "    y = paddle.full([2], 1.0)\nelse:\n    y = paddle.zeros([2])"),
    *both("if", "y", SUM + "    y = fc(x)\nelse:\n    y = fc(x * 2) + other(x)",
          fc="nn.Linear(3, 2)", other="nn.Linear(3, 2, bias_attr=False)", grad=True),
    *both("if", "y", SUM + "    y = x * w.weight\nelse:\n    y = x - w.weight",
          w="nn.LayerNorm(3)"),
    *both("if", "bn(y)", SUM + "    y = bn(x)\nelse:\n    y = x", bn="nn.BatchNorm1D(3)"),
    *both("if", "y", "y = x\n" + SUM + "    if x.max() > 1.5:\n        y = x * 2\n    else:\n"
          "        y = x * 3\nelif x.min() > -1.5:\n    y = x * 4"),
    *both("if", "y", "y = x + 1\n" + SUM + "    y[0] = 5.0"),
    *both("if", "y", "y = x + 1\n" + SUM + "    y += 5.0"),
    *both("if", "y, x", "y = x + 1\n" + SUM + "    y[:, 1] = x[:, 0]\n    x = x * 2"),
    *both("if", "y", "y = x\nif (x > 0).all():\n    y = x * 2"),
    *both("if", "y", "c = x.sum() > 0\nd = x.max() > 1\nif c and not d:\n    y = x * 2\n"
          "else:\n    y = x * 3"),
    *both("if", "y", "y = paddle.static.nn.cond(x.sum() > 0, lambda: x * 2, lambda: x - 1)"),
    *both("if", "y", "y, z = paddle.static.nn.cond(x.sum() > 0, lambda: (x * 2, x), "
          "lambda: (x - 1, x * 3))\ny = y + z"),
    *both("if", "y", SUM + "    y = x[0]\nelse:\n    y = x[-1]"),
    *both("if", "y", "def f(v):\n    if v.sum() > 0:\n        return v * 2\n    return v - 1\n"
          "y = f(x) + f(-x)"),
    case("if", "y", x=f32(1), setup="y = x\nif x > 0:\n    y = x * 2"),
    case("if", "y", x=X, n=values([3], "int64"), setup="y = x\nif n == 3:\n    y = x * 2"),
    # conditions known from shapes
    case("if", "y", x=X, setup="if x.shape[0] > 2:\n    y = x * 2\nelse:\n    y = x * 3"),
    case("if", "y", x=X, setup="y = x\nif x.shape[0] % 2 == 1:\n    y = F.pad(x, [1, 0, 0, 0])"),
    case("if", "y", x=f32("B", "H"), setup="y = x\nif x.shape[0] < x.shape[1]:\n    y = x.t()"),
    case("if", "y", x=X, setup="y = x\nif x.shape[0] == 3 and x.sum() > -100:\n    y = x * 2"),
    # loops
    case("while", "y", x=X, n=values([3], "int64"), setup=COUNT + "    y = y * 2\n    i = i + 1"),
    case("while", "y, i", x=X, n=values([0], "int64"), setup=COUNT + "    y = y * 2\n    i += 1"),
    case("while", "y", x=X, n=values([3], "int64"), grad=True,
         setup=COUNT + "    y = y * x\n    i += 1"),
    case("while", "y", x=X, n=i64(1, high=5),
         setup=COUNT + "    y = paddle.concat([y, x])\n    i = i + 1"),
    case("while", "y", x=X, n=values([2], "int64"),
         setup=COUNT + "    y = y + fc(y) * w.weight\n    i = i + 1", fc="nn.Linear(3, 3)",
         w="nn.LayerNorm(3)"),
    case("while", "y", x=POSITIVE, setup="y = x\nwhile y.sum() < 100:\n    y = y * y + 1"),
    case("while", "y", x=X, setup="y = x\nfor i in range(x.shape[0]):\n    y = y + i"),
    case("while", "y", x=X, setup="y = x\nfor i in range(1, x.shape[0] * 2, 2):\n    y = y * i"),
    case("while", "y", x=X, setup="y = x\nfor i in range(x.shape[0], 0, -1):\n    y = y * 2 + i"),
    case("while", "y", x=X, n=values(4, "int64"), setup="y = x\nfor i in range(n):\n    y = y + i"),
    case("while", "y", x=X, setup="y = 0\nfor row in x:\n    y = y + row"),
    case("while", "y", x=X, setup="y = x + 1\nfor i in range(x.shape[0]):\n    y[i] = i"),
    case("while", "y, z", x=X,
         setup="y = x + 1\nz = x\nfor i in range(x.shape[0]):\n    y[i] = z[i]\n    z = y * 2"),
    case("while", "y", x=X, setup="y = x\nfor i in range(x.shape[0]):\n"
         "    for j in range(i, 3):\n        y = y + x[i, j]"),
    case("while", "y", x=POSITIVE, setup="y = x + 1\nwhile y.sum() < 100:\n    y = y + 1\n"
         "    if y.max() > 5:\n        break"),
    case("while", "y", x=X, setup="y = x\nfor i in range(x.shape[0]):\n    if x[i].sum() > 0:\n"
         "        continue\n    y = y + x[i]"),
    case("while", "y", x=X, setup="y = x\nfor i in range(x.shape[0]):\n    if x[i].sum() > 0:\n"
         "        y = y + x[i]\n    else:\n        y = y * 2"),
    case("while", "y", x=X, setup="def body(i, v):\n    return [i + 1, v * 2]\n"
         "i, y = paddle.static.nn.while_loop(lambda i, v: i < 3, body, "
         "[paddle.zeros([1], 'int64'), x])"),
    case("while", "y", x=X, setup="y = x\nn = x.shape[0]\nwhile n > 1:\n    y = y + n\n    n = n "
         "- 1"),
    case("while if", "y", x=X, n=i64(1, high=3),
         setup="y = x\nif n > 0:\n    for i in range(x.shape[0]):\n        y = y + fc(x[i])\n"
         "else:\n    y = fc(x)", fc="nn.Linear(3, 3)"),
    # counting loops
    case("while", "y", x=X, n=values(0, "int64"), setup="y = x\nfor i in range(n):\n    y = y + i"),
    case("while", "y", x=X, setup="y = x\nfor i in range(3, x.shape[0]):\n    y = y + i"),
    case("while", "y", x=f32("T", 3),
         setup="y = x\nfor i in range(2, x.shape[0], 2):\n    y = y + x[i] * x[i - 1]"),
    case("while", "y", x=f32("T", 3),
         setup="y = x\nfor i in range(x.shape[0] - 1, -1, -2):\n    y = y * 0.5 + x[i]"),
    case("while", "y", x=f32("T", 3),
         setup="y = x\nfor i in range(x.shape[0]):\n    if i % 2 == 0:\n        y = y + x[i]"),
    case("while", "y", x=f32("T", 3), setup="y = x\nfor i in range(x.shape[0]):\n    if i > 0:\n"
         "        y = y + x[i - 1]\n    else:\n        y = y * 2"),
    case("while", "y, i", x=X, setup="y = x\ni = 0\nfor i in range(x.shape[0]):\n    y = y + i"),
    case("while", "y", x=X, setup="i = paddle.zeros([], 'int64')\ny = x\nwhile 4 > i:\n"
         "    y = y + x[i % 2]\n    i = i + 1"),
    case("while", "y", x=X, setup="i = paddle.ones([1], 'int32')\ny = x\nwhile i <= 4:\n"
         "    y = y + i.astype('float32')\n    i = i + 2"),
    case("while", "y", x=X, setup="i = paddle.full([], 9, 'int64')\ny = x\nwhile i >= 2:\n"
         "    y = y + i.astype('float32')\n    i = i - 3"),
    case("while", "y, i", x=X, setup="i = paddle.zeros([], 'int64')\ny = x\nwhile i < 4:\n"
         "    y = y * 2\n    i = i + 1\n    if y.max() > 3:\n        i = i + 1"),
    case("while", "y", x=X, setup="i = paddle.zeros([], 'int64')\nn = i + 5\ny = x\nwhile i < n:\n"
         "    y = y * 1.5\n    i = i + 1\n    n = n - 1"),
    case("while", "y, unused", x=X, setup="y = x\nunused = x\nfor i in range(x.shape[0]):\n"
         "    unused = unused * 2\n    z = y + unused[i]\n    y = y + 1"),
    case("while", "y", x=X, w="nn.Linear(3, 3)", setup="y = x\nfor i in range(x.shape[0]):\n"
         "    for j in range(2):\n        for k in range(i, 3):\n            y = w(y) + x[i, k]"),
    case("while", "y", x=f32("T", 3), setup="y = paddle.zeros_like(x)\nfor i in "
         "range(x.shape[0]):\n"
         "    y[i] = x[:i + 1].sum(0)"),
    case("while", "y", x=f32("B", "T", 3), setup="y = paddle.zeros([x.shape[0], 3])\n"
         "for t in range(x.shape[1]):\n    y, _ = cell(x[:, t], y)", cell="nn.SimpleRNNCell(3, 3)"),
    # branches that are decided before the model runs
    case("if", "y", x=f32(2, 3), setup="if paddle.shape(x)[0] == 2:\n    y = fc(x)\nelse:\n    y "
         "= x",
         fc="nn.Linear(3, 3)"),
    case("if", "y", x=f32(2, 3), setup="y = x * 2\nif paddle.shape(x)[0] > 5:\n    y = x"),
    # parameters and layers inside and outside
    *both("if", "fc(y)", SUM + "    y = fc(x)\nelse:\n    y = fc(x * 2)", fc="nn.Linear(3, 3)"),
    *both("if", "y", "y = w.weight\n" + SUM + "    y = w.bias", w="nn.LayerNorm(3)"),
    *both("if", "y, z", "y = z = w.weight * 2\n" + SUM + "    y = x.sum(0) + z\n    z = y * w.bias",
          w="nn.LayerNorm(3)"),
    # values of outside overwritten inside
    case("while increment_", "y, i", x=X,
         setup="i = paddle.zeros([1], 'int64')\ny = x\nwhile i < 3:\n    paddle.increment(i)\n"
         "    y = y * 2"),
    case("while increment_", "y, i", x=X,
         setup="def body(i, v):\n    paddle.increment(i)\n    return [i, v * 2]\n"
         "i, y = paddle.static.nn.while_loop(lambda i, v: i < 3, body, "
         "[paddle.zeros([1], 'int64'), x])"),
    case("while assign_out_", "y + 1, i", x=X,
         setup="i = paddle.zeros([1], 'int64')\nz = x + 1\ny = x * 1.5\nwhile i < 3:\n    i = i + "
              "1\n"
         "    paddle.assign(z * 2, y)\n    z = z + y"),
    *both("while increment_", "y, i + k", "i = paddle.zeros([1], 'int64')\n"
          "k = paddle.zeros([1], 'int64')\ny = x\nwhile i < 5:\n    paddle.increment(i)\n"
          "    if y.sum() > 1:\n        paddle.increment(k, 2)\n    y = y * 2"),
    case("while increment_", "y, i, k", x=X,
         setup="i = paddle.zeros([1], 'int64')\nk = paddle.zeros([1], 'int64')\ny = x\nwhile i < "
              "5:\n"
         "    paddle.increment(i)\n    k = i + 0\n    while k < 3:\n        paddle.increment(k)\n"
         "        paddle.increment(i)\n        y = y + 1"),
    *both("if increment_", "y, i", "i = paddle.zeros([1], 'int64')\ny = x * 2\n" + SUM
          + "    paddle.increment(i)\n    y = y + i.astype('float32')\ny = y * "
               "i.astype('float32')"),
    # decoders
    case("while", "tokens", x=f32("B", 4), setup="tokens = paddle.argmax(x, -1, keepdim=True)\n"
         "i = paddle.zeros([], 'int64')\nwhile i < 5:\n"
         "    state = table(tokens).mean(1)\n    last = paddle.argmax(fc(state), -1, "
         "keepdim=True)\n"
         "    tokens = paddle.concat([tokens, last], 1)\n    i = i + 1",
         table="nn.Embedding(4, 6)", fc="nn.Linear(6, 4)"),
    case("while", "paddle.stack(steps, 1)", x=f32("B", 4), setup="h = paddle.zeros([x.shape[0], "
         "6])\n"
         "steps = []\ntoken = paddle.argmax(x, -1)\nfor i in range(x.shape[0] + 3):\n"
         "    out, h = cell(table(token), h)\n    logits = fc(out)\n    token = logits.argmax(-1)\n"
         "    steps.append(logits)", table="nn.Embedding(4, 5)", cell="nn.GRUCell(5, 6)",
         fc="nn.Linear(6, 4)"),
    case("while", "beams, scores", x=f32(1, 6), setup="logp = F.log_softmax(x)\n"
         "scores, ids = paddle.topk(logp, 2)\nbeams = ids.reshape([2, 1])\n"
         "scores = scores.reshape([2])\ni = paddle.zeros([], 'int64')\nwhile i < 3:\n"
         "    step = F.log_softmax(fc(table(beams).sum(1)))\n"
         "    total = (scores.unsqueeze(1) + step).reshape([1, -1])\n"
         "    best, pick = paddle.topk(total, 2)\n    pick = pick.reshape([2])\n"
         "    beams = paddle.concat([paddle.gather(beams, pick // 6), (pick % 6).unsqueeze(1)], "
         "1)\n"
         "    scores = best.reshape([2])\n    i = i + 1",
         table="nn.Embedding(6, 5)", fc="nn.Linear(5, 6)"),
]  # fmt: skip
