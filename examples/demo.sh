#!/bin/sh
# demo.sh BUILDDIR: shows what works, with programs that are not ours, and what is
# refused, and why. It ends with an error as soon as anything does not do what it
# should.
set -eu

[ $# = 1 ] && [ -x "$1/cinch" ] || {
    echo "usage: demo.sh BUILDDIR, where BUILDDIR/cinch is" >&2
    exit 2
}
build=$(cd "$1" && pwd)
cinch=$build/cinch
python=/usr/bin/python3
[ -x $python ] || python=python3
dir=$(mktemp -d)
servers=
number=0
step='getting ready'

finish() {
    code=$?
    trap - EXIT INT TERM
    for server in $servers; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    rm -rf "$dir"
    [ $code = 0 ] || echo "demo: failed at: $step" >&2
    exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# The locale's own words and the caller's settings are of no use here.
export LC_ALL=C.UTF-8
unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE
export XDG_DATA_HOME="$dir/data"
cd "$dir"

fail() {
    echo "   FAILED: $*" >&2
    exit 1
}

# step TEXT: what comes next.
step() {
    number=$((number + 1))
    step="$number. $1"
    printf '\n%s\n' "$step"
}

# show COMMAND...: runs it, prints it and what it says; its status is in $status.
show() {
    printf '   $ %s\n' "$*" | sed "s|$cinch|cinch|g; s|$build/|build/|g; s|$python|python3|g"
    status=0
    timeout 20 "$@" >out.txt 2>&1 </dev/null || status=$?
    sed 's/^/     /' out.txt
}

good() {
    echo "   ok: $*"
}

# serve NAME PATTERN COMMAND...: starts a server and waits until it has printed a line with a port;
# PATTERN is a sed expression for it. The port is in $port.
serve() {
    name=$1
    pattern=$2
    shift 2
    printf '   $ %s &\n' "$*" | sed "s|$cinch|cinch|g; s|$build/|build/|g; s|$python|python3|g"
    : >"$name.log"
    "$@" >"$name.log" 2>&1 </dev/null &
    server=$!
    servers="$servers $server"
    port=
    tries=0
    while [ -z "$port" ]; do
        port=$(sed -n "$pattern" "$name.log" | head -n 1)
        [ -n "$port" ] && break
        kill -0 $server 2>/dev/null || { cat "$name.log"; fail "the server $name ended"; }
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { cat "$name.log"; fail "the server $name does not start"; }
        sleep 0.05
    done
}

cinch_port='s|^listening on .*:\([0-9]*\)/*$|\1|p'

# refused EXIT CAUSE ARGUMENT...: `cinch connect ARGUMENT...` must fail just so.
refused() {
    want=$1
    cause=$2
    shift 2
    show "$cinch" connect "$@"
    [ $status = "$want" ] || fail "exit status $status, not $want"
    status=0
    timeout 20 "$cinch" connect --json "$@" >json.txt 2>&1 </dev/null || status=$?
    [ $status = "$want" ] || fail "with --json the exit status is $status, not $want"
    "$python" - "$cause" <<'PYTHON' || fail "the cause is not $cause: $(cat json.txt)"
import json, sys
answer = json.load(open("json.txt"))
error = answer["error"]
sys.exit(not (answer["ok"] is False and error["cause"] == sys.argv[1]
              and error["what"] and error["evidence"] and error["remedy"]))
PYTHON
    good "refused as $cause, exit status $want"
}

echo "This shows libcinch at work, through its command cinch. Everything is in $dir."

step 'A certification authority for development, and a certificate for localhost'
show "$cinch" ca init
[ $status = 0 ] || fail "exit status $status"
show "$cinch" ca issue localhost 127.0.0.1 ::1
[ $status = 0 ] || fail "exit status $status"
ca=data/cinch/cinch-ca.pem
[ "$(stat -c %a data/cinch/cinch-ca.key localhost.pem | tr '\n' ' ')" = '600 600 ' ] ||
    fail 'private keys can be read by others'
openssl verify -x509_strict -purpose sslserver -CAfile $ca localhost.crt >/dev/null ||
    fail 'OpenSSL does not accept the certificate'
good 'private keys have mode 0600, and openssl verify -x509_strict accepts the certificate'

step 'A folder over HTTPS, with a file of 64 MiB in it'
mkdir www
echo 'Hello from cinch serve.' >www/hello.txt
head -c 67108864 /dev/urandom >www/large.bin
serve files "$cinch_port" "$cinch" serve --listen localhost:0 --identity localhost.pem www
site=localhost:$port
good "listening on https://$site/"

step 'curl fetches the file, and it is the same'
show curl --silent --show-error --cacert $ca --output fetched.bin \
    --write-out '%{http_version} %{http_code}, %{size_download} bytes, %{time_total} s\n' \
    "https://$site/large.bin"
[ $status = 0 ] || fail "curl: exit status $status"
cmp fetched.bin www/large.bin || fail 'the file has changed on the way'
good '64 MiB, byte by byte the same'

step "Python's own ssl module with its default context"
cat >client.py <<'PYTHON'
import os, ssl, urllib.request
context = ssl.create_default_context()    # whom to trust: SSL_CERT_FILE
with urllib.request.urlopen(os.environ["URL"], context=context) as reply:
    print(reply.status, reply.read().decode().strip())
PYTHON
show env SSL_CERT_FILE=$ca URL="https://$site/hello.txt" "$python" client.py
[ $status = 0 ] && grep -q '^200 Hello from cinch serve\.$' out.txt || fail 'Python did not get it'
good "Python's standard library verified the server and got the page"

if [ -n "$(find "$build/python/cinch" -name '_cinch*.so' 2>/dev/null)" ]; then
    step 'The same Python program on libcinch, and the words that it has for a wrong name'
    show env PYTHONPATH="$build/python" SSL_CERT_FILE=$ca URL="https://$site/hello.txt" \
        "$python" -m cinch client.py
    [ $status = 0 ] && grep -q '^200 Hello from cinch serve\.$' out.txt || fail 'Python did not get it'
    cat >wrong.py <<'PYTHON'
import os, socket, ssl
context = ssl.create_default_context()
with socket.create_connection(("localhost", int(os.environ["PORT"]))) as plain:
    try:
        context.wrap_socket(plain, server_hostname="www.example.org")
    except ssl.SSLCertVerificationError as error:
        print(error)
PYTHON
    show env PYTHONPATH="$build/python" SSL_CERT_FILE=$ca PORT="$port" "$python" -m cinch wrong.py
    grep -q "certificate verify failed: Hostname mismatch" out.txt && grep -q '^remedy:' out.txt ||
        fail 'the exception does not explain itself'
    good 'the unchanged standard library, with explanations in its exceptions'
fi

step 'openssl s_client and cinch connect, side by side'
printf 'GET /hello.txt HTTP/1.0\r\n\r\n' >request.txt
echo "   \$ openssl s_client -CAfile $ca -verify_return_error -verify_hostname localhost ..."
timeout 20 openssl s_client -connect "$site" -servername localhost -CAfile $ca \
    -verify_return_error -verify_hostname localhost -brief -ign_eof \
    <request.txt >theirs.txt 2>&1 || fail "openssl s_client: exit status $?"
sed 's/^/     /' theirs.txt
grep -q '^Hello from cinch serve\.' theirs.txt || fail 'openssl s_client did not get the page'
echo "   \$ cinch connect --ca $ca $site"
timeout 20 "$cinch" connect --ca $ca "$site" <request.txt >ours.txt 2>report.txt ||
    fail "cinch connect: exit status $?: $(cat report.txt)"
sed 's/^/     /' report.txt ours.txt
grep -q '^verified localhost' report.txt || fail 'cinch connect did not verify the server'
grep -q '^Hello from cinch serve\.' ours.txt || fail 'cinch connect did not get the page'
good 'both verified the server and got the page'

step 'And the other way round: cinch connect to openssl s_server'
serve theirs 's|^ACCEPT .*:\([0-9]*\)$|\1|p' openssl s_server -accept localhost:0 \
    -cert localhost.pem -key localhost.pem -naccept 1 -www
printf 'GET / HTTP/1.0\r\n\r\n' >request.txt
echo "   \$ cinch connect --ca $ca localhost:$port"
timeout 20 "$cinch" connect --ca $ca "localhost:$port" <request.txt >ours.txt 2>report.txt ||
    fail "cinch connect: exit status $?: $(cat report.txt)"
sed 's/^/     /' report.txt
grep -q '^HTTP/1.0 200 ok' ours.txt || fail 'no page from openssl s_server'
good 'verified, and a page came back'

# observe VERSION: cinch connect --wire to openssl s_server with that version alone. The messages with
# their certificates are shown, not all their parts.
observe() {
    serve "$1" 's|^ACCEPT .*:\([0-9]*\)$|\1|p' openssl s_server -accept localhost:0 \
        -cert localhost.pem -key localhost.pem "-$1" -naccept 1 -www
    echo "   \$ cinch connect --wire --quiet --ca $ca localhost:$port"
    timeout 20 "$cinch" connect --wire --quiet --ca $ca "localhost:$port" <request.txt >ours.txt \
        2>wire.txt || fail "cinch connect: exit status $?: $(cat wire.txt)"
    grep -E '^ {0,9}[0-9.]+ ms |^ {19}[^ ]|^ {21}\(|subject:|host_name:' wire.txt | sed 's/^/   /'
}

step 'What an observer sees of TLS 1.2: the name, and the certificate'
observe tls1_2
grep -q 'host_name: localhost' wire.txt || fail 'the name is not shown'
grep -q 'subject: CN=localhost' wire.txt || fail 'the certificate is not shown'
good 'in TLS 1.2 the certificate passes in clear'

step 'What an observer sees of TLS 1.3: the name, and no certificate'
observe tls1_3
grep -q 'host_name: localhost' wire.txt || fail 'the name is not shown'
grep -q 'subject:' wire.txt && fail 'the certificate is shown'
grep -q '<-  application_data, .*: protected' wire.txt || fail 'no protected record is shown'
good 'in TLS 1.3 the certificate is protected'

printf '\nNow what has to be refused.\n'

step 'A certificate that expired yesterday'
"$cinch" ca issue --days -1 --out expired.pem localhost >/dev/null
serve expired "$cinch_port" "$cinch" serve --listen localhost:0 --identity expired.pem www
refused 7 expired --ca $ca "localhost:$port"

step 'A certificate for another name'
"$cinch" ca issue --out wrong.pem shop.example.test '*.example.test' >/dev/null
serve wrong "$cinch_port" "$cinch" serve --listen localhost:0 --identity wrong.pem www
refused 6 wrong-host-name --ca $ca "localhost:$port"

step 'A certificate of a CA that nobody here trusts'
"$cinch" ca init --dir other >/dev/null
"$cinch" ca issue --dir other --out unknown.pem localhost >/dev/null
serve unknown "$cinch_port" "$cinch" serve --listen localhost:0 --identity unknown.pem www
refused 5 unknown-issuer --ca $ca "localhost:$port"

step 'A server that does not send its intermediate certificate'
cat >chain.cnf <<'CONFIG'
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost
authorityInfoAccess = caIssuers;URI:http://ca.example.test/intermediate.der
CONFIG
# make NAME SUBJECT SIGNER DAYS: a P-256 key and a certificate.
make() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config chain.cnf \
        -subj "$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    if [ "$3" = - ]; then
        openssl x509 -req -in "$1.csr" -signkey "$1.key" -days "$4" -extfile chain.cnf \
            -extensions "$1" -out "$1.crt" 2>/dev/null
    else
        openssl x509 -req -in "$1.csr" -CA "$3.crt" -CAkey "$3.key" -CAcreateserial \
            -days "$4" -extfile chain.cnf -extensions "$1" -out "$1.crt" 2>/dev/null
    fi
}
make root '/O=Demo/CN=Demo Root' - 3650
make intermediate '/O=Demo/CN=Demo Intermediate' root 1825
make leaf '/O=Demo/CN=localhost' intermediate 90
cat leaf.key leaf.crt >alone.pem
cat leaf.key leaf.crt intermediate.crt >whole.pem
serve alone "$cinch_port" "$cinch" serve --listen localhost:0 --identity alone.pem www
refused 5 missing-intermediate --ca root.crt "localhost:$port"
serve whole "$cinch_port" "$cinch" serve --listen localhost:0 --identity whole.pem www
show "$cinch" connect --ca root.crt "localhost:$port"
[ $status = 0 ] || fail "with the intermediate, the exit status is $status"
good 'with the intermediate, the same server is accepted'

step 'A server that speaks plain HTTP'
serve plain 's|^Serving HTTP on .* port \([0-9]*\) .*|\1|p' \
    "$python" -u -m http.server --bind 127.0.0.1 --directory www 0
refused 4 not-tls --ca $ca "127.0.0.1:$port"

step 'A server that speaks TLS 1.1 only'
serve old 's|^ACCEPT .*:\([0-9]*\)$|\1|p' openssl s_server -accept localhost:0 \
    -cert localhost.pem -key localhost.pem -tls1_1 -cipher ALL:@SECLEVEL=0 -www
refused 4 no-common-version --ca $ca "localhost:$port"

printf '\nAnd what keeps sessions, hosts and certificates apart.\n'

# ask NAME ADDRESS OPTION...: openssl s_client; what the server says is in told.txt.
ask() {
    host=$1
    shift
    status=0
    target=$1
    shift
    timeout 20 openssl s_client -connect "$target" -servername "$host" -CAfile $ca -ign_eof -quiet \
        "$@" </dev/null >told.txt 2>client.txt || status=$?
    sed 's/^/     /' told.txt
}

step 'Two hosts on one port, one of them for clients with a certificate'
"$cinch" ca issue --out public.pem www.test >/dev/null
"$cinch" ca issue --out members.pem members.test >/dev/null
"$cinch" ca issue --client --out alice.pem alice@example.test >/dev/null
serve hosts 's|^listening on .*:\([0-9]*\)$|\1|p' "$build/examples/example-virtual_hosts" \
    public.pem members.pem $ca 0
echo '   a guest at www.test, who is given a session:'
ask www.test "localhost:$port" -sess_out guest.session
grep -q '^www.test welcomes a guest$' told.txt || fail 'www.test does not answer'
echo '   the same guest again, with that session:'
ask www.test "localhost:$port" -sess_in guest.session
grep -q '^www.test welcomes a guest back$' told.txt || fail 'the session is not resumed'
echo '   and with that session at members.test:'
ask members.test "localhost:$port" -sess_in guest.session
[ ! -s told.txt ] || fail 'members.test let a guest in'
grep 'alert' client.txt | sed 's/^/     /'
echo '   Alice has a certificate:'
ask members.test "localhost:$port" -cert alice.pem -key alice.pem
grep -q '^members.test welcomes .*alice@example.test' told.txt || fail 'Alice is not let in'
good 'the session of one host opens nothing at the other'

step 'A ticket secret that rotates every two seconds'
serve tickets 's|^listening on .*:\([0-9]*\)$|\1|p' "$build/examples/example-ticket_server" \
    localhost.pem 0 2 2
ask localhost "localhost:$port" -sess_out short.session
grep -q '^from the beginning$' told.txt || fail 'the first connection was resumed'
ask localhost "localhost:$port" -sess_in short.session
grep -q '^resumed$' told.txt || fail 'the session is not resumed'
tries=0
while ask localhost "localhost:$port" -sess_in short.session >/dev/null && grep -q '^resumed$' told.txt; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail 'the old ticket still opens'
    sleep 0.2
done
sed 's/^/     /' told.txt
good 'after its time the old ticket opens no more: its secret is wiped'

step 'A certificate replaced while a client is connected'
cp localhost.pem site.pem
serve echo "$cinch_port" "$cinch" serve --echo --listen localhost:0 --identity site.pem
mkfifo words
"$cinch" connect --quiet --ca $ca "localhost:$port" <words >heard.txt 2>quiet.txt &
servers="$servers $!"
exec 3>words
echo 'before the change' >&3
"$cinch" ca issue --out renewed.pem localhost >/dev/null
mv renewed.pem site.pem
tries=0
until grep -q '^reloaded' echo.log; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "the certificate is not taken over: $(cat echo.log)"
    sleep 0.1
done
echo 'after the change' >&3
tries=0
until grep -q '^after the change$' heard.txt; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "the connection did not go on: $(cat heard.txt quiet.txt)"
    sleep 0.1
done
exec 3>&-
sed 's/^/     /' heard.txt
timeout 20 openssl s_client -connect "localhost:$port" -CAfile $ca </dev/null 2>/dev/null |
    openssl x509 -noout -serial >shown.txt
openssl x509 -noout -serial -in site.pem >fresh.txt
cmp -s shown.txt fresh.txt || fail 'a new connection does not show the new certificate'
grep '^reloaded' echo.log | sed 's/^/     /'
good 'the old connection went on, a new one shows the new certificate'

step 'What the server saw of all this'
[ "$(grep -c '^127\.0\.0\.1:.* TLSv1\.3 \|^\[::1\]:.* TLSv1\.3 ' files.log)" -ge 4 ] ||
    fail "the server reports: $(cat files.log)"
sed 's/^/     /' files.log
good 'one line for each connection'

step 'How fast it is here: the cipher suite of old, and those of today'
show "$cinch" bench --seconds 0.2 --rounds 2 --suite ECDHE-RSA-AES256-SHA \
    --suite ECDHE-RSA-AES256-GCM-SHA384 --suite TLS_AES_128_GCM_SHA256 --key p256 \
    --plot "$build/bench-demo.svg"
[ $status = 0 ] || fail "exit status $status"
grep -q '^TLS 1.3  TLS_AES_128_GCM_SHA256 ' out.txt || fail 'a suite is missing'
grep -q '>TLS 1.3 TLS_AES_128_GCM_SHA256<' "$build/bench-demo.svg" || fail 'the plot is without it'
good "the plot is $build/bench-demo.svg; for real figures: cinch bench, on a machine that rests"

step=done
printf '\nThe demo is complete: %s steps, each as it should be.\n' "$number"
