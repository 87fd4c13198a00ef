"""The examples of docstrings and of the README run, and the stubs are of what is there."""

import ast
import doctest
import inspect
import pathlib

import backsight

PACKAGE = pathlib.Path(backsight.__file__).parent
README = pathlib.Path(__file__).parents[2] / "README.md"


def test_examples_of_docstrings_run():
    tried = 0
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for name in backsight.__all__:
        thing = getattr(backsight, name)
        for test in finder.find(thing, name, globs=dict(vars(backsight))):
            tried += runner.run(test).attempted
    assert tried >= 10
    assert runner.summarize().failed == 0


def test_examples_of_the_readme_run():
    results = doctest.testfile(str(README), module_relative=False)
    assert results.failed == 0 and results.attempted >= 10


def test_everything_has_a_description():
    for name in backsight.__all__:
        thing = getattr(backsight, name)
        assert name == "__version__" or inspect.getdoc(thing), name
        for member, value in vars(thing).items() if isinstance(thing, type) else ():
            if not member.startswith("_") and member not in ("kind", "errno"):
                assert inspect.getdoc(value), f"{name}.{member}"


def stubs():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    return {it.name: it for it in tree.body if isinstance(it, ast.ClassDef)}


def members(stub, all_stubs):
    names = {it.name for it in stub.body if isinstance(it, ast.FunctionDef)}
    for base in stub.bases:
        if isinstance(base, ast.Name) and base.id == "_Closing":
            names |= members(all_stubs["_Closing"], all_stubs)
    return {name for name in names if not name.startswith("__")}


def test_stubs_are_of_what_is_there():
    all_stubs = stubs()
    classes = {name for name in all_stubs if not name.startswith("_")}
    assert classes == {name for name in backsight.__all__ if name != "__version__"}
    assert (PACKAGE / "py.typed").exists()
    for name in classes:
        thing = getattr(backsight, name)
        if issubclass(thing, backsight.Error):
            continue
        there = {it for it in vars(thing) if not it.startswith("_")}
        assert members(all_stubs[name], all_stubs) == there, name


def test_parameters_of_stubs_are_those_that_are_there():
    all_stubs = stubs()
    checked = 0
    for name, stub in all_stubs.items():
        for function in stub.body:
            thing = getattr(backsight, name, None)
            is_new = isinstance(function, ast.FunctionDef) and function.name == "__new__"
            if thing is None or not isinstance(function, ast.FunctionDef):
                continue
            if function.name.startswith("__") and not is_new:
                continue
            value = thing if is_new else inspect.getattr_static(thing, function.name)
            if inspect.isgetsetdescriptor(value):
                continue
            there = inspect.signature(thing if is_new else getattr(thing, function.name))
            wanted = function.args
            names = [it.arg for it in wanted.args + wanted.kwonlyargs if it.arg != "cls"]
            there = [it for it in there.parameters]
            assert names == there, f"{name}.{function.name}"
            checked += 1
    assert checked > 20
