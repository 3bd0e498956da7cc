"""`make install` in a checkout of its own: moved, without its Python, on a machine set up otherwise."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from contracts.stack_settings import PROJECT
from tests.canopy.checkout import check_out

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

# What a person has set for installations of his own.
OF_A_PERSON = {
    "PIP_USER": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_TARGET": "/nowhere/target",
    "PIP_PREFIX": "/nowhere/prefix",
    "PYTHONPATH": "/nowhere/packages",
    "PYTHONHOME": "",
    "UV_SYSTEM_PYTHON": "1",
    "VIRTUAL_ENV": "/nowhere/environment",
}
COMMANDS = (["canopy", "--help"], ["duckdb", "--version"], ["mlflow", "--version"])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Where the checkout lies, last of the list."""
    folder = tmp_path_factory.mktemp("installing") / "it's mine #1 (100%)"
    check_out(folder)
    places = [folder]
    yield places
    shutil.rmtree(places[-1])  # 1.5 GB


@pytest.fixture
def own_index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An index of packages that has uv, behind a certificate that this machine does not know; and that."""
    folder, certificate = tmp_path / "simple", tmp_path / "certificate.pem"
    download = ["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", folder / "uv"]
    python = PROJECT / ".tools" / "bin" / "python"
    subprocess.run([python, *download, "-r", PROJECT / "requirements" / "tools.txt"], check=True, timeout=300)
    write_certificates(certificate, chain := tmp_path / "chain.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}/simple", certificate
        server.shutdown()


def write_certificates(authority: Path, chain: Path) -> None:
    """Writes an authority's certificate, and a server's with its key, signed by it."""
    secrets = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("nobody", "127.0.0.1")]
    now, host = datetime.now(UTC), x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = [
        x509.CertificateBuilder(names[0], names[place], secret.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=place == 0, path_length=None), critical=True)
        .add_extension(host, critical=False)
        .sign(secrets[0], hashes.SHA256())
        for place, secret in enumerate(secrets)
    ]
    authority.write_bytes(made[0].public_bytes(Encoding.PEM))
    key = secrets[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(made[1].public_bytes(Encoding.PEM) + key)


def made(folder: Path, target: str, **given: str) -> None:
    """Has `make` make a target anew, with what a person has set."""
    shutil.rmtree(folder / ".tools", ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", target], cwd=folder, env=kept | given, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def install(folder: Path) -> str:
    """Installs, and runs what was installed."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment = {name: value for name, value in (given | OF_A_PERSON).items() if value}
    done = subprocess.run(
        ["make", "install"], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    plain = {"PATH": os.environ["PATH"], "HOME": str(folder.parent)}
    for name, *words in COMMANDS:
        ran = subprocess.run(
            [folder / ".venv" / "bin" / name, *words], cwd=folder, env=plain, capture_output=True, text=True
        )
        assert ran.returncode == 0, (name, ran.stderr)
    return done.stdout


def test_it_installs_whatever_a_person_has_set_for_other_installations(checkout: list[Path]) -> None:
    install(checkout[-1])
    assert install(checkout[-1]) == "make: Nothing to be done for 'install'.\n"


@pytest.mark.parametrize("place", ["pip/pip.conf", ".pip/pip.conf", "named.conf"])
def test_a_persons_file_for_pip_does_not_lead_it_elsewhere(
    checkout: list[Path], tmp_path: Path, place: str
) -> None:
    file = tmp_path / (place if place.startswith(".") else f".config/{place}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[global]\nrequire-virtualenv = no\n[install]\nuser = yes\n")
    given = {"HOME": str(tmp_path)} | ({"PIP_CONFIG_FILE": str(file)} if place == "named.conf" else {})
    made(checkout[-1], ".tools/bin/uv", **given)
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize("value", ["1", "true", "yes"])
@pytest.mark.parametrize("name", ["PIP_USER", "PIP_REQUIRE_VIRTUALENV"])
def test_a_variable_of_pip_s_does_not_lead_it_elsewhere(
    checkout: list[Path], tmp_path: Path, name: str, value: str
) -> None:
    made(checkout[-1], ".tools/bin/uv", **{name: value, "HOME": str(tmp_path)})
    subprocess.run([checkout[-1] / ".tools" / "bin" / "uv", "--version"], check=True, capture_output=True)
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize(
    ("minor", "said"), [(10, "Canopy needs Python 3.11"), (14, "dbt-core 1.11 does not run on 3.14")]
)
def test_a_python_that_is_too_old_or_too_new_is_named(
    checkout: list[Path], tmp_path: Path, minor: int, said: str
) -> None:
    other = tmp_path / f"python3.{minor}"
    other.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, {minor}, 0); $2"\n'
    )
    other.chmod(0o755)
    shutil.rmtree(checkout[-1] / ".tools", ignore_errors=True)
    done = subprocess.run(
        ["make", "install", f"PYTHON={other}"], cwd=checkout[-1], capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert f"this is 3.{minor}. Set PYTHON=" in done.stderr
    assert not (checkout[-1] / ".tools").exists()


def _renamed(folder: Path) -> Path:
    return folder.rename(folder.with_name("moved"))


def _put_below_another(folder: Path) -> Path:
    (other := folder.parent / "año niño").mkdir()
    return folder.rename(other / "Proyecto (2)")


def _below_a_folder_that_is_renamed(folder: Path) -> Path:
    return folder.parent.rename(folder.parent.with_name("renamed")) / folder.name


def _copied_while_the_first_still_runs(folder: Path) -> Path:
    copy = folder.with_name("copy")
    subprocess.run(["cp", "--archive", "--link", folder, copy], check=True)
    return copy


@pytest.mark.parametrize(
    "move",
    [_renamed, _put_below_another, _below_a_folder_that_is_renamed, _copied_while_the_first_still_runs],
)
def test_a_checkout_that_was_moved_gets_a_new_environment(
    checkout: list[Path], move: Callable[[Path], Path]
) -> None:
    install(before := checkout[-1])
    checkout.append(moved := move(before))
    assert "moved, or has lost its Python" in install(moved)
    if before.exists():
        shutil.rmtree(before)
    assert install(moved) == "make: Nothing to be done for 'install'.\n"


def _lead_nowhere(python: Path) -> None:
    python.unlink()
    python.symlink_to("/nowhere/python")


def _end_at_once(python: Path) -> None:
    """As one does that misses a library of its own since an upgrade."""
    python.unlink()
    python.write_text("#!/bin/sh\nexit 127\n")
    python.chmod(0o755)


@pytest.mark.parametrize("lose", [_lead_nowhere, _end_at_once, Path.unlink])
def test_an_environment_that_has_lost_its_python_is_made_anew(
    checkout: list[Path], lose: Callable[[Path], None]
) -> None:
    install(checkout[-1])
    for name in (".venv/bin/python", ".tools/bin/python"):
        lose(checkout[-1] / name)
    assert "moved, or has lost its Python" in install(checkout[-1])


def test_an_environment_that_was_half_made_is_gone_on_with(checkout: list[Path]) -> None:
    (checkout[-1] / ".venv" / ".runtime").unlink()
    (checkout[-1] / ".venv" / "bin" / "python").unlink()
    install(checkout[-1])


def test_what_only_shows_removes_nothing(checkout: list[Path]) -> None:
    moved = checkout[-1].with_name("moved again")
    checkout.append(checkout[-1].rename(moved))
    for words in (["help"], ["--dry-run", "install"]):
        subprocess.run(["make", *words], cwd=moved, check=True, capture_output=True, timeout=60)
    assert (moved / ".venv" / ".runtime").is_file()


@pytest.fixture
def system_store() -> Path:
    """Where this machine has its certificates, for other programs too."""
    return Path("/etc/ssl/certs/ca-certificates.crt").resolve(strict=True)


def test_certificates_of_ones_own_are_believed_by_pip_and_by_uv(
    checkout: list[Path], own_index: tuple[str, Path], tmp_path: Path, system_store: Path
) -> None:
    index, certificate = own_index
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    plain |= {"PIP_INDEX_URL": index, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    plain |= {"PIP_NO_CACHE_DIR": "1", "UV_DEFAULT_INDEX": index, "UV_HTTP_RETRIES": "0"}
    # The system's store is another one only for the command: it sees a mount of its own.
    mounted = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        'mount --bind $0 $1 && shift && exec "$@"',
    ]
    in_store = [*mounted, str(certificate), str(system_store)]
    asked = [
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-cache",
        "--target",
        str(tmp_path / "target"),
        "uv",
    ]
    shutil.copy(checkout[-1] / ".tools" / "bin" / "uv", uv := tmp_path / "uv")
    cases: list[tuple[list[str], dict[str, str], bool]] = [
        ([], {}, False),
        ([], {"UV_SYSTEM_CERTS": "true"}, False),
        ([], {"SSL_CERT_FILE": str(certificate)}, True),
        (in_store, {"UV_SYSTEM_CERTS": "true"}, True),
    ]
    for prefix, given, is_believed in cases:
        shutil.rmtree(checkout[-1] / ".tools", ignore_errors=True)
        for command in (["make", ".tools/bin/uv"], [str(uv), *asked]):
            ran = subprocess.run(
                [*prefix, *command],
                cwd=checkout[-1],
                env=plain | given,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert (ran.returncode == 0) == is_believed, (prefix, given, command, ran.stderr)
