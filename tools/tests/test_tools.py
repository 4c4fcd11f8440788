"""Tests of the tools' own judgement, without the analyser and without a network: python3 -m unittest discover tools/tests"""
import ast
import contextlib
import io
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import _common, _ty, go_parser, growth, inference, mutate, sample  # noqa: E401, E402

SOURCE = '''\
class A:
    async def m(self):
        await self.g()
        x = await self.h()
        if x.ok:
            y = await (k())
            return y
        z = await k(await l())
        await gather(z)
        if c:
            b = await k()
        else:
            return b.value
        d = await k()
        d = 1
        e = await k()
        print(f"é{e}", await l())
'''


def write(text):
    tree = pathlib.Path(tempfile.mkdtemp())
    (tree / "a.py").write_text(text, encoding="utf-8")
    return tree


class Sites(unittest.TestCase):
    def test_which_awaits_may_be_removed(self):
        tree = write(SOURCE)
        sites = list(mutate.candidates(tree / "a.py", tree))
        self.assertEqual([(s["line"], s["kind"], s["use"]) for s in sites],
                         [(3, "statement", "-"), (4, "assignment", "attribute"), (9, "statement", "-"), (16, "assignment", "formatting")])
        self.assertEqual(sites[1]["accepted"], [[4, 4], [5, 5], [5, 5]])
        self.assertEqual(sites[1]["symbol"], "A.m")

    def test_removal_keeps_lines_and_brackets(self):
        tree = write("async def f():\n    é = 'é'; x = await (\n        g())\n    x.y\n")
        site, = mutate.candidates(tree / "a.py", tree)
        self.assertEqual(mutate.without_await((tree / "a.py").read_bytes(), site).decode(), "async def f():\n    é = 'é'; x = (\n        g())\n    x.y\n")

    def test_judgement(self):
        site = {"path": "a.py", "symbol": "A.m", "function": [2, 9], "accepted": [[4, 4], [5, 5]]}

        def finding(rule, line, symbol="A.m", path="./a.py"):
            return {"rule": rule, "path": path, "symbol": symbol, "message": "", "range": {"start": {"line": line, "column": 1}}}
        old = finding("await/missing-await", 20, "B.n")
        found = [old, finding("await/missing-await", 4), finding("await/unnecessary-async", 2), finding("await/floating-task", 5, "A.other"), finding("loop/blocking-call", 8)]
        verdict = mutate.judge(site, found, mutate.collections.Counter([mutate.key(old)]))
        self.assertEqual([f["line"] for f in verdict["reported"]], [4])
        self.assertEqual([(n["line"], n["same_function"]) for n in verdict["noise"]], [(5, False), (8, True)])

    def test_the_draw_is_even_and_seeded(self):
        sites = [{"tree": t, "n": n} for t in "abc" for n in range(3 if t == "a" else 50)]
        chosen = mutate.draw(list(sites), 30, 1)
        self.assertEqual(chosen, mutate.draw(list(sites), 30, 1))
        self.assertEqual([sum(s["tree"] == t for s in chosen) for t in "abc"], [3, 14, 13])


class Ty(unittest.TestCase):
    def test_wrapping(self):
        tree = write(SOURCE)
        lines, sites = _ty.sites_of(tree / "a.py")
        text = _ty.wrapped(lines, sites)
        self.assertIn("z = await reveal_type(k(await reveal_type(l())))", text)
        self.assertIn('print(f"é{e}", await reveal_type(l()))', text)
        self.assertIn("await (reveal_type(k()))", text)
        ast.parse(text)

    def test_places_in_the_copy(self):
        lines, sites = _ty.sites_of(write("async def f():\n    é = await a.b(await c())\n") / "a.py")
        marks, copy = _ty.insertions(sites), _ty.wrapped(lines, sites).splitlines()
        for site, name in zip([_ty.placed(s, marks) for s in sites], ["b", "c"]):
            line, column = site["copy_callee"]
            self.assertEqual(copy[line - 1][column], name)
            self.assertTrue(copy[line - 1][:site["copy_column"]].endswith(_ty.WRAP))

    def test_coroutine_types(self):
        for text, expected in (("CoroutineType[Any, Any, int | None]", True), ("CoroutineType[Any, Any, A] | Coroutine[Any, Any, B]", True),
                               ("Unknown | CoroutineType[Any, Any, A]", False), ("Future[A]", False), (None, False)):
            self.assertEqual(_ty.is_coroutine(text), expected, text)


class GoParser(unittest.TestCase):
    def test_verdicts_are_compared_by_file(self):
        theirs = go_parser.verdicts_of(b'/a.go\t\n/b.go\t12 "expected x"\n/c.go\t3 "y"\n')
        self.assertEqual(theirs, {"/a.go": "", "/b.go": '12 "expected x"', "/c.go": '3 "y"'})
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertTrue(go_parser.agree({**theirs, "/b.go": "13 z"}, theirs))
            self.assertFalse(go_parser.agree({**theirs, "/b.go": ""}, theirs))
        self.assertIn("2 rejected by both (1 with the first error at the same byte), 0 different", out.getvalue())
        self.assertIn('/b.go: ours: accepted; go/parser: 12 "expected x"', out.getvalue())

    def test_nodes_are_counted(self):
        nodes = go_parser.nodes_of(b"/a.go\nIdent 1 2\nIdent 1 2\nCallExpr 1 4\n/b.go\n")
        self.assertEqual(go_parser.kinds(nodes["/a.go"]), {"Ident": 2, "CallExpr": 1})
        self.assertEqual(nodes["/b.go"], {})

    def test_mutants_differ_in_few_tokens(self):
        text = b'package p // x\nfunc f() { x := "a b" + `c\nd` }\n'
        self.assertEqual(b"".join(go_parser.TOKEN.findall(text)), text)
        mutants = {go_parser.mutated(text, random.Random(seed)) for seed in range(50)}
        self.assertGreater(len(mutants), 30)
        self.assertEqual(go_parser.mutated(text, random.Random(1)), go_parser.mutated(text, random.Random(1)))


class Others(unittest.TestCase):
    def test_shapes(self):
        for callee, expected in (("self.hass.async_add", "self.a.m()"), ("Client().get", "Name().m()"), ("x[0].y", "name[].m()"), ("f", "name()")):
            self.assertEqual(inference.shape(callee), expected)

    def test_exponent(self):
        self.assertAlmostEqual(growth.exponent([(n, n ** 1.3) for n in (10, 100, 1000)]), 1.3)

    def test_drawing_in_turn(self):
        items = [{"codebase": c, "rule": r, "path": str(n), "line": n} for c in "ab" for r in "xy" for n in range(5)]
        chosen = sample.in_turn(items, 6)
        self.assertEqual(len(chosen), 6)
        self.assertEqual({(i["codebase"], i["rule"]) for i in chosen}, {("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")})

    def test_measuring(self):
        done = _common.run_measured([sys.executable, "-c", "print(1); raise SystemExit(3)"], keep_output=True)
        self.assertEqual((done.status, done.out), (3, "1\n"))
        hung = _common.run_measured([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)
        self.assertTrue(hung.timed_out and hung.status == -9)


if __name__ == "__main__":
    unittest.main()
