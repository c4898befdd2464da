"""Promotion as people and the studio start it, against a real MLflow."""

import json
import shutil
import sys
from pathlib import Path
from threading import Event

import mlflow
import pytest

from anime_model.pictures.message import from_record
from flows import promote as promotion
from flows.promote import Outcome, Wish, _decide, _parser, check, gate_rows, panel_score, rollback
from flows.registry import champion
from flows.registry.champion import CHALLENGER, CHAMPION, PREVIOUS, ChampionChanged, PromotionError, holder
from tests.flows.promoting import draw_pictures, ended, register_lite, relax_latency, run, start
from tests.flows.registry.test_versions import store  # noqa: F401  a fixture
from tests.flows.test_compress import post

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]
MODEL = "animegan-cel"


@pytest.fixture
def client(made: Path, store: mlflow.MlflowClient) -> mlflow.MlflowClient:  # noqa: F811
    """An MLflow store beside a toy project that has pictures to compare networks on; versions 1 (teacher) and 2."""
    relax_latency(made)
    draw_pictures(made / "artifacts" / "cel" / "data" / "photos" / "test" / "faces", 4, seed=0)
    draw_pictures(made / "artifacts" / "cel" / "data" / "frames", 4, seed=1)
    assert register_lite(made, 0.97) == 2
    return store


def aliases(client: mlflow.MlflowClient) -> tuple[int | None, ...]:
    found = [holder(client, MODEL, alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)]
    return tuple(int(version.version) if version else None for version in found)


def told(done) -> dict:
    return json.loads(done.stdout.splitlines()[-1])


def tags(client: mlflow.MlflowClient, version: int) -> dict[str, str]:
    return client.get_model_version(MODEL, str(version)).tags


def test_the_first_champion_and_the_next(made: Path, client: mlflow.MlflowClient, prefect_api: str):
    options = ("cel", "--dry-run", "--json")
    tried = ended(start("flows.promote", *options, python=sys.executable, PREFECT_API_URL=prefect_api))
    assert (tried.returncode, told(tried)["verdict"], aliases(client)) == (0, "would promote", (None, None, None))
    assert not [key for key in tags(client, 2) if key.startswith(("gate_", "promotion"))]

    first = run("flows.promote", "cel", "--json", PREFECT_API_URL=prefect_api)
    assert (first.returncode, aliases(client)) == (0, (2, None, None)), first.stderr
    assert told(first) | {"gates": []} == {
        "style": "cel", "model": MODEL, "version": 2, "champion_before": None, "verdict": "promoted", "gates": [],
        "reason": "passed 1 gates", "message": {"template": "passed {count} gates", "values": {"count": 1}},
    }  # fmt: skip

    assert register_lite(made, 0.98) == 3
    client.set_registered_model_alias(MODEL, CHALLENGER, "3")
    second = run("flows.promote", "cel", "--json", PREFECT_API_URL=prefect_api)
    assert (second.returncode, aliases(client)) == (0, (3, None, 2)), second.stderr
    found = {gate["name"]: gate for gate in told(second)["gates"]}
    assert set(found) == {"psnr", "latency_ratio", "fid_to_champion", "lpips_to_champion"}
    assert found["lpips_to_champion"]["bound"] == pytest.approx(1.05 * found["lpips_to_champion"]["champion"])
    assert found["psnr"]["figure"] > found["psnr"]["champion"] > found["psnr"]["bound"] == 20
    assert tags(client, 3)["gate_psnr"].startswith("passed: ")
    assert tags(client, 3)["champion_before"] == "2"
    tables = [artifact for artifact in post(prefect_api, "artifacts/filter", {}) if artifact["key"] == "gates-cel"]
    assert any("lpips_to_champion" in table["data"] for table in tables)

    again = run("flows.promote", "cel", "--json", "--version", "3", PREFECT_API_URL=prefect_api)
    assert (again.returncode, told(again)["reason"]) == (1, "it is the champion already")


def test_what_fails_a_gate_is_refused_with_its_reason(made: Path, client: mlflow.MlflowClient, prefect_api: str):
    client.set_registered_model_alias(MODEL, CHAMPION, "2")
    assert register_lite(made, 0.5) == 3
    client.set_model_version_tag(MODEL, "3", "panel_overall", "2.5")
    done = run("flows.promote", "cel", "--json", PREFECT_API_URL=prefect_api)
    assert (done.returncode, aliases(client)) == (1, (2, None, None))
    failed = {gate["name"] for gate in told(done)["gates"] if not gate["passed"]}
    assert {"panel", "psnr", "lpips_to_champion"} <= failed
    assert told(done)["verdict"] == "refused"
    assert "panel failed: 2.5, at least 3" in told(done)["reason"]
    assert from_record(told(done)["message"]) == told(done)["reason"]
    assert tags(client, 3)["promotion"].startswith("refused: ")
    assert tags(client, 3)["gate_panel"] == "failed: 2.5, at least 3"


def test_what_is_still_a_photo_is_refused_though_there_is_no_champion(
    made: Path, client: mlflow.MlflowClient, prefect_api: str
):
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace(", style_share: null, lpips_photo: null", ""))
    done = run("flows.promote", "cel", "--json", PREFECT_API_URL=prefect_api)
    assert (done.returncode, aliases(client)) == (1, (None, None, None)), done.stderr
    assert {gate["name"] for gate in told(done)["gates"] if not gate["passed"]} == {"style_share", "lpips_photo"}
    assert tags(client, 2)["gate_lpips_photo"].endswith("at least 0.05")


def test_only_lite_versions_are_promoted_unless_a_person_says_so(made: Path, client: mlflow.MlflowClient):
    """Version 1 is the teacher's."""
    said = r"animegan-cel 1 is the variant teacher: only int8 versions are promoted; --any-variant takes it anyway"
    with pytest.raises(PromotionError, match=said):
        champion.candidate(client, MODEL, 1)
    client.set_registered_model_alias(MODEL, CHALLENGER, "1")
    with pytest.raises(PromotionError, match=said):
        champion.candidate(client, MODEL)
    assert (
        champion.candidate(client, MODEL, 1, any_variant=True).version == client.get_model_version(MODEL, "1").version
    )
    client.create_model_version(MODEL, "elsewhere", tags={})
    with pytest.raises(PromotionError, match="is the variant unknown"):
        champion.candidate(client, MODEL, 3)


def test_a_rollback_goes_step_by_step_and_keeps_the_reason(made: Path, client: mlflow.MlflowClient):
    for number, gain in ((3, 0.98), (4, 0.99)):
        assert register_lite(made, gain) == number
    for number in (2, 3, 4):
        challenger, before = client.get_model_version(MODEL, str(number)), holder(client, MODEL, CHAMPION)
        champion.set_champion(client, MODEL, challenger, before, {})
    assert aliases(client) == (4, None, 3)
    done = run("flows.promote", "cel", "--rollback", "--reason", "skin turns green", "--json")
    assert (done.returncode, aliases(client)) == (0, (3, None, 2)), done.stderr
    assert (told(done)["verdict"], told(done)["version"], told(done)["champion_before"]) == ("rolled back", 3, 4)
    assert tags(client, 4)["rolled_back_reason"] == "skin turns green"
    assert "rolled back: animegan-cel 4 (skin turns green); 3 serves now" in done.stdout
    rollback("cel", "that one too")
    assert aliases(client) == (2, None, None)
    with pytest.raises(
        PromotionError, match=f"^{MODEL} 2 is the first champion: there is no former one to go back to$"
    ):
        rollback("cel", "and that")
    assert aliases(client) == (2, None, None)


def decided(root: Path, wish: Wish, psnr: float = 30.0) -> Outcome:
    """The decision on figures that are given: measuring them takes most of a promotion's time."""
    figures = {"psnr": psnr, "fid": 1.0, "lpips": 0.1, "latency_ratio": 1.0}
    return _decide(root, wish, lambda files, teacher: dict.fromkeys(files, figures))


def test_a_rolled_back_file_stays_out_under_any_version_until_a_person_lifts_it(
    made: Path, client: mlflow.MlflowClient
):
    assert register_lite(made, 0.98) == 3
    for number in ("2", "3"):
        challenger, before = client.get_model_version(MODEL, number), holder(client, MODEL, CHAMPION)
        champion.set_champion(client, MODEL, challenger, before, {})
    rollback("cel", "skin turns green")
    assert register_lite(made, 0.98, pictures_md5="others") == 4, "the same file, judged on other pictures"
    nominated = champion.nominate_made(made, "cel")
    assert nominated.version is None
    assert nominated.why_none == "nothing new: version 3 was rolled back (skin turns green)"
    assert aliases(client) == (2, None, None)
    again = decided(made, Wish("cel", version=4))
    assert (again.verdict, aliases(client)) == ("refused", (2, None, None))
    assert again.reason == (
        "its file was rolled back as version 3: skin turns green; --override rolled_back --reason TEXT takes it again"
    )
    lifted = decided(made, Wish("cel", version=4, override=("rolled_back",), reason="the light was green"))
    assert (lifted.verdict, aliases(client)) == ("promoted", (4, None, 2))
    assert "rolled_back overridden: the light was green" in tags(client, 4)["promotion"]
    assert not [key for number in (3, 4) for key in tags(client, number) if key.startswith("rolled_back")]


def test_challengers_are_this_workspaces(made: Path, client: mlflow.MlflowClient):
    """Another branch has registered a newer network in the same MLflow."""
    own = (made / "artifacts" / "cel" / "exports" / "int8.onnx").read_bytes()
    assert register_lite(made, 0.98) == 3
    (made / "artifacts" / "cel" / "exports" / "int8.onnx").write_bytes(own)
    nominated = champion.nominate_made(made, "cel").version
    assert (int(nominated.version), aliases(client)) == (2, (None, 2, None))
    client.set_registered_model_alias(MODEL, CHAMPION, "2")
    assert champion.nominate_made(made, "cel").why_none == "nothing new: version 2 is the champion"
    shutil.rmtree(made / "artifacts" / "cel" / "exports")
    assert champion.nominate_made(made, "cel").why_none == "cel has no int8 network here"


def test_a_person_sets_a_gate_aside_and_says_why(made: Path, client: mlflow.MlflowClient):
    for arguments, said in (
        (("--override", "psrn", "--reason", "x"), "--override psrn: no gate of that name; choose from bytes, "),
        (("--override", "psnr"), "--override needs --reason TEXT"),
        (("--override", "psnr", "--reason", "x", "--rollback"), "--rollback goes to the former champion: it takes no "),
    ):
        with pytest.raises(PromotionError, match=said):
            check(_parser().parse_args(["cel", *arguments]))
    assert decided(made, Wish("cel"), psnr=9.0).verdict == "refused"
    outcome = decided(made, Wish("cel", override=("psnr",), reason="darker on purpose"), psnr=9.0)
    assert (outcome.verdict, aliases(client)) == ("promoted", (2, None, None))
    assert outcome.reason == "passed 0 gates; psnr overridden: darker on purpose"
    assert tags(client, 2)["gate_psnr"] == "failed, overridden: 9, at least 20"
    assert [row["verdict"] for row in gate_rows(outcome)] == ["overridden"]


def test_a_kill_between_two_aliases_is_put_right(made: Path, client: mlflow.MlflowClient):
    """As `set_champion` leaves it where it is cut off before the alias that serves, and as `roll_back` does after."""
    assert register_lite(made, 0.98) == 3
    client.set_registered_model_alias(MODEL, CHAMPION, "2")
    client.set_registered_model_alias(MODEL, PREVIOUS, "2")
    champion.set_champion(client, MODEL, client.get_model_version(MODEL, "3"), client.get_model_version(MODEL, "2"), {})
    assert aliases(client) == (3, None, 2)
    client.set_registered_model_alias(MODEL, PREVIOUS, "3")
    assert champion.roll_back(client, MODEL, "x")[0].version == client.get_model_version(MODEL, "2").version


def test_a_champion_of_meanwhile_is_noticed(made: Path, client: mlflow.MlflowClient):
    assert register_lite(made, 0.98) == 3
    client.set_registered_model_alias(MODEL, CHAMPION, "2")
    with pytest.raises(ChampionChanged):
        champion.set_champion(client, MODEL, client.get_model_version(MODEL, "3"), None, {"gate_x": "passed"})
    assert "gate_x" not in tags(client, 3)


def test_two_promotions_at_once_end_in_one_state(made: Path, client: mlflow.MlflowClient, prefect_api: str):
    """Whichever comes second is measured against the first."""
    for number, gain in ((3, 0.98), (4, 0.99)):
        assert register_lite(made, gain) == number
    client.set_registered_model_alias(MODEL, CHAMPION, "2")
    both = [start("flows.promote", "cel", "--version", n, "--json", PREFECT_API_URL=prefect_api) for n in ("3", "4")]
    said = [process.communicate(timeout=200) for process in both]
    verdicts = [json.loads(out.splitlines()[-1]) for out, _ in said]
    assert verdicts[1]["verdict"] == "promoted", "4 is nearer to the teacher than all others"
    assert [process.returncode for process in both] == [0 if v["verdict"] == "promoted" else 1 for v in verdicts]
    if verdicts[0]["verdict"] == "promoted":
        assert (aliases(client), verdicts[0]["champion_before"], verdicts[1]["champion_before"]) == ((4, None, 3), 2, 3)
    else:
        assert (aliases(client), verdicts[0]["champion_before"], verdicts[1]["champion_before"]) == ((4, None, 2), 4, 2)


def test_bad_input_is_one_line(made: Path, client: mlflow.MlflowClient):
    done = run("flows.promote", "../x", "--json")
    said = "'../x' is no style: a letter, then small letters, digits, '-' and '_', such as shinkai"
    assert (done.returncode, done.stderr) == (2, f"error: {said}\n")
    assert (told(done)["verdict"], from_record(told(done)["message"])) == ("failed", f"error: {said}")
    with pytest.raises(PromotionError, match=r"--rollback needs --reason TEXT"):
        check(_parser().parse_args(["cel", "--rollback"]))
    with pytest.raises(PromotionError, match="has no champion: nothing to roll back"):
        rollback("cel", "x")
    with pytest.raises(PromotionError, match=r"no int8 version of animegan-ink: run `python -m flows\.compress` first"):
        champion.candidate(client, "animegan-ink")
    with pytest.raises(PromotionError, match="no version 9 of animegan-cel"):
        champion.candidate(client, MODEL, 9)
    client.set_model_version_tag(MODEL, "2", "panel_overall", "good")
    with pytest.raises(PromotionError, match="panel_overall is no number: 'good'"):
        panel_score(client.get_model_version(MODEL, "2"))


def test_a_file_that_was_changed_and_photos_that_are_missing_stop_it(
    made: Path, client: mlflow.MlflowClient, prefect_api: str
):
    shutil.rmtree(made / "artifacts" / "cel" / "data" / "photos")
    done = run("flows.promote", "cel", PREFECT_API_URL=prefect_api)
    assert done.returncode == 2
    assert "no test photos" in done.stderr
    (file,) = (Path(p) for p in made.glob("mlruns/**/int8.onnx"))
    file.write_bytes(file.read_bytes() + b"\0")
    done = run("flows.promote", "cel", "--json", PREFECT_API_URL=prefect_api)
    assert "error: animegan-cel 2: its file is not the registered one any more" in done.stderr
    said = from_record(told(done)["message"]).values["what"]
    assert said.values["what"].template == "its file is not the registered one any more (md5 {md5})"


def test_a_promotion_that_prefect_does_not_hear_of_is_one(made: Path, client: mlflow.MlflowClient, monkeypatch):
    """The champion is set by then: what went wrong is the table alone."""
    said: list[str] = []

    class Logger:
        def info(self, text: str, *values: object) -> None:
            pass

        def warning(self, text: str, *values: object) -> None:
            said.append(text % values)

    def away(outcome: Outcome) -> None:
        raise RuntimeError("Failed to reach API at http://127.0.0.1:9")

    done = Outcome("cel", MODEL, 2, None, "promoted", [], "passed 0 gates")
    monkeypatch.setattr(promotion, "get_run_logger", Logger)
    monkeypatch.setattr(promotion, "_decide", lambda root, wish, measure: done)
    monkeypatch.setattr(promotion, "publish", away)
    assert promotion.decide(made, Wish("cel"), Event(), 60) is done
    assert len(said) == 1
    assert said[0].startswith("the table of the gates: Prefect does not answer")


def test_no_rollback_leads_to_what_was_rolled_back(made: Path, client: mlflow.MlflowClient):
    """1, 2 and 1 again; after the first rollback 1 has been refused, and 2 is the only one that stands."""
    one, two = (client.get_model_version(MODEL, version) for version in ("1", "2"))
    champion.set_champion(client, MODEL, one, None, {})
    champion.set_champion(client, MODEL, two, one, {})
    champion.set_champion(client, MODEL, one, two, {})
    assert champion.roll_back(client, MODEL, "green skin")[0].version == two.version
    assert aliases(client) == (2, None, None)
    with pytest.raises(champion.PromotionError, match="there is no former one to go back to"):
        champion.roll_back(client, MODEL, "blue skin")
    assert aliases(client) == (2, None, None)


def test_a_rollback_passes_over_what_was_rolled_back(made: Path, client: mlflow.MlflowClient):
    assert register_lite(made, 0.98) == 3
    one, two, three = (client.get_model_version(MODEL, version) for version in "123")
    for version, before in ((one, None), (two, one), (three, two)):
        champion.set_champion(client, MODEL, version, before, {})
    champion.tag(client, MODEL, two, {"rolled_back": "long ago"})
    assert champion.roll_back(client, MODEL, "x")[0].version == one.version
    assert aliases(client) == (1, None, None)
