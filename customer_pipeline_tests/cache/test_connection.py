import ipaddress
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.errors import CacheError, CacheRejected, CacheUnavailable
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline_tests.cache.conftest import ValkeyCluster
from customer_pipeline_tests.cache.proxy import CuttingProxy
from customer_pipeline_tests.cache.states import KEYS, live
from customer_pipeline_tests.servers import ValkeyServer, free_port

PASSWORD = "s3cr3t/p@ss:word#?"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost:6379",
        "redis:/localhost",
        "redis://",
        "redis://:s3cr3t@",
        "redis://localhost:port",
        "redis://user:s3cr3t@x@localhost:s3cr3t",
        "redis://localhost:6379/customers",
        "redis://localhost?socket_timeout=soon",
        "redis://localhost?decode_responses=true",
        "redis://:s3cr3t@localhost?s3cr3t=1",
        "redis+cluster://localhost/3",
        "redis+cluster://",
        "unix://",
        "rediss+sentinel://localhost",
        "redis://[::1",
    ],
)
def test_a_malformed_url_is_an_error_that_says_what_is_expected_and_not_the_url(url: str) -> None:
    with pytest.raises(CacheError, match=r"REDIS_URL is malformed: .*redis\+cluster://") as caught:
        connect(url)
    assert "s3cr3t" not in str(caught.value)
    assert not caught.value.transient


def test_an_option_that_the_client_does_not_know_is_a_malformed_url(valkey: ValkeyServer) -> None:
    with pytest.raises(CacheError, match="an option in its query is unknown"):
        connect(f"{valkey.url}?ssl_ca_certificate=x")


def test_waits_are_bounded_and_the_url_may_say_otherwise(valkey: ValkeyServer) -> None:
    with connect(valkey.url, answer_timeout=timedelta(seconds=3)) as client:
        assert isinstance(client, redis.Redis)
        options = client.get_connection_kwargs()
        assert (options["socket_timeout"], options["socket_connect_timeout"]) == (3, 5)
        assert options["health_check_interval"] == 30
        assert options["retry"].get_retries() == 1
    with connect(f"{valkey.url}?socket_timeout=7") as client:
        assert client.get_connection_kwargs()["socket_timeout"] == 7


def test_the_database_is_that_of_the_url(valkey: ValkeyServer) -> None:
    with connect(valkey.url.removesuffix("/0") + "/3") as client:
        Publisher(client).publish([live("a", 1, 1)])
    with valkey.client() as client:
        assert client.dbsize() == 0
        client.select(3)
        assert client.exists(KEYS.document("a"), KEYS.by_updated_at) == 2
        client.flushall()


def test_nobody_listening_is_unavailable() -> None:
    started = time.monotonic()
    with pytest.raises(CacheUnavailable, match=r"cannot be reached: .*127\.0\.0\.1") as caught:
        connect(f"redis://:s3cr3t@127.0.0.1:{free_port()}/0")
    assert time.monotonic() - started < 5
    assert caught.value.transient
    assert "s3cr3t" not in str(caught.value)


def test_a_server_that_never_answers_is_unavailable_in_bounded_time(valkey: ValkeyServer) -> None:
    with valkey.client() as admin, connect(valkey.url, answer_timeout=timedelta(milliseconds=100)) as client:
        admin.execute_command("CLIENT", "PAUSE", 3000, "WRITE")
        started = time.monotonic()
        with pytest.raises(CacheUnavailable, match="did not answer in time"):
            Publisher(client).publish([live("a", 1, 1)])
        assert time.monotonic() - started < 2
        admin.execute_command("CLIENT", "UNPAUSE")
        assert Publisher(client).publish([live("a", 1, 1)]).total == 1


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    with ValkeyServer(tmp_path, "--unixsocket", str(socket)), connect(f"unix://{socket}") as client:
        assert Publisher(client).publish([live("a", 1, 1)]) == Outcomes(applied=1)


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_a_cluster_is_known_by_its_scheme_and_without(valkey_cluster: ValkeyCluster, scheme: str) -> None:
    with connect(f"{scheme}://127.0.0.1:{valkey_cluster.servers[1].port}/0") as client:
        assert isinstance(client, redis.RedisCluster)
        assert Publisher(client).publish([live("a", 1, 1)]) == Outcomes(applied=1)


def test_a_cluster_scheme_for_a_single_server_is_rejected(valkey: ValkeyServer) -> None:
    with pytest.raises(CacheRejected, match="no cluster"):
        connect(f"redis+cluster://127.0.0.1:{valkey.port}")


def test_a_cluster_whose_nodes_do_not_know_each_other_is_unavailable(tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server,
        pytest.raises(CacheUnavailable) as caught,
    ):
        connect(server.url)
    assert caught.value.transient


@contextmanager
def user(server: ValkeyServer, *rules: str) -> Iterator[str]:
    """A user `pipeline` with these rights; gives the URL."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "pipeline", "reset", "on", f">{PASSWORD}", *rules)
        try:
            yield f"redis://pipeline:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/0"
        finally:
            admin.execute_command("ACL", "DELUSER", "pipeline")


LEAST = ("~customer:*", "~customers:*", "+@read", "+@write", "+@scripting", "+@connection", "+info", "-script")


def test_the_rights_that_an_error_advises_are_enough_and_no_repr_shows_the_password(valkey: ValkeyServer) -> None:
    with user(valkey, *LEAST) as url, connect(url) as client:
        publisher = Publisher(client)
        assert publisher.publish([live("a", 1, 1)]) == Outcomes(applied=1)
        for each in (client, client.connection_pool, publisher, client.pipeline()):
            assert PASSWORD not in repr(each)
            assert quote(PASSWORD, safe="") not in repr(each)


def test_a_wrong_password_is_rejected(valkey: ValkeyServer) -> None:
    with user(valkey, *LEAST) as url, pytest.raises(CacheRejected, match=r"refuses the user or the password") as caught:
        connect(url.replace("s3cr3t", "s3cr3tt"))
    assert not caught.value.transient
    assert "s3cr3t" not in str(caught.value)


def test_a_missing_password_is_rejected(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, "--requirepass", PASSWORD) as server:
        with pytest.raises(CacheRejected, match="asks for a password"):
            connect(server.url)
        with connect(server.url.replace("//", f"//:{quote(PASSWORD, safe='')}@")) as client:
            assert client.ping()


@pytest.mark.parametrize(
    "rules",
    [
        ("~other:*", "+@all"),
        ("~customer:*", "+@all"),
        ("~*", "+@all", "-@scripting"),
        ("~*", "+@all", "-set"),
        ("~*", "+@all", "-mget"),
    ],
)
def test_a_missing_permission_is_rejected(valkey: ValkeyServer, rules: tuple[str, ...]) -> None:
    with (
        user(valkey, *rules) as url,
        connect(url) as client,
        pytest.raises(CacheRejected, match="lacks a permission") as caught,
    ):
        Publisher(client).publish([live("Ada", 1, 1)])
    assert "Ada" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_rights_that_an_error_advises_are_enough_for_a_cluster(valkey_cluster: ValkeyCluster) -> None:
    with ExitStack() as stack:
        for server in valkey_cluster.servers[1:]:
            stack.enter_context(user(server, *LEAST, "+cluster|slots"))
        url = stack.enter_context(user(valkey_cluster.servers[0], *LEAST, "+cluster|slots"))
        with connect(url) as client:
            states = [live(f"c{number}", 1, 1) for number in range(50)]
            assert Publisher(client).publish(states) == Outcomes(applied=50)
            for each in (client, client.nodes_manager, *client.get_nodes()):
                assert PASSWORD not in repr(each)


def test_a_cluster_user_without_the_right_to_ask_for_the_slots_is_rejected(valkey_cluster: ValkeyCluster) -> None:
    with user(valkey_cluster.servers[0], *LEAST) as url, pytest.raises(CacheRejected, match=r"\+cluster\|slots"):
        connect(url)


def test_a_user_who_may_not_ask_what_the_server_is_is_believed(valkey: ValkeyServer) -> None:
    with user(valkey, "~*", "+@all", "-info") as url, connect(url) as client:
        assert isinstance(client, redis.Redis)
        assert Publisher(client).publish([live("a", 1, 1)]) == Outcomes(applied=1)


def test_a_cluster_taken_for_a_single_server_says_so(valkey_cluster: ValkeyCluster) -> None:
    server = valkey_cluster.servers[0]
    with (
        user(server, "~*", "+@all", "-info") as url,
        connect(url) as client,
        pytest.raises(CacheRejected, match=r"(part of a cluster|several slots).*redis\+cluster://"),
    ):
        Publisher(client).publish([live("a", 1, 1), live("b", 1, 1)])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cache.test")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls_port(valkey: ValkeyServer, certificate: tuple[Path, Path]) -> Iterator[int]:
    """TLS in front of the real server, whose own build has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with CuttingProxy(valkey.port, tls=context) as proxy:
        yield proxy.port


def test_tls_with_a_named_authority_and_an_acl_user(
    valkey: ValkeyServer, tls_port: int, certificate: tuple[Path, Path]
) -> None:
    with user(valkey, *LEAST) as plain_url:
        url = plain_url.replace("redis://", "rediss://").replace(f":{valkey.port}/", f":{tls_port}/")
        with connect(f"{url}?ssl_ca_certs={quote(str(certificate[0]))}") as client:
            assert Publisher(client).publish([live("a", 1, 1)]) == Outcomes(applied=1)


def test_a_certificate_that_is_not_trusted_is_rejected(tls_port: int) -> None:
    with pytest.raises(CacheRejected, match=r"certificate is not trusted.*ssl_ca_certs") as caught:
        connect(f"rediss://127.0.0.1:{tls_port}/0")
    assert not caught.value.transient
