# Runs a PostgreSQL cluster of its own for as long as its standard input is open: however the process at the other end of that
# pipe comes to its end, the cluster ends with it.
#
# $1: the folder of PostgreSQL's programs; $2: the port on 127.0.0.1; then settings, as `name=value`.
# From the environment: PASSWORD of the superuser `ak`; TLS_CERTIFICATE and TLS_KEY (PEM), where it shall speak TLS; POOLER_PORT,
# where PgBouncer shall stand before it in transaction mode.
set -u
umask 077
bin=$1 port=$2
shift 2
folder=$(mktemp -d "${TMPDIR:-/tmp}/ak-postgres.XXXXXX" 2>/dev/null || mktemp -d /tmp/ak-postgres.XXXXXX) || exit 1
server= pooler=
end() {
    if [ -n "$pooler" ]; then
        kill -KILL "$pooler" 2>/dev/null
        wait "$pooler" 2>/dev/null
    fi
    # At once: what it holds is not needed any more.
    if [ -n "$server" ]; then
        kill -QUIT "$server" 2>/dev/null
        wait "$server" 2>/dev/null
    fi
    cd / && rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' HUP INT TERM
cd "$folder" || exit 1

printf '%s\n' "$PASSWORD" >password
"$bin/initdb" --pgdata=data --username=ak --pwfile=password --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync \
    >log 2>&1 </dev/null || { cat log >&2; exit 1; }
if [ -n "${TLS_KEY:-}" ]; then
    printf '%s\n' "$TLS_CERTIFICATE" >data/server.crt
    printf '%s\n' "$TLS_KEY" >data/server.key
    echo "ssl = on" >>data/postgresql.conf
fi
# Nothing of a test has to survive a power cut; who measures says otherwise in the settings.
printf '%s\n' "fsync = off" "full_page_writes = off" >>data/postgresql.conf
for setting in "$@"; do
    echo "${setting%%=*} = '${setting#*=}'" >>data/postgresql.conf
done
# No other program shall be in the way.
"$bin/postgres" -D data -h 127.0.0.1 -p "$port" -k "$folder" -c max_connections=300 >log 2>&1 </dev/null &
server=$!
until "$bin/pg_isready" --quiet --host=127.0.0.1 --port="$port"; do
    kill -0 "$server" 2>/dev/null || { cat log >&2; exit 1; }
    sleep 0.02
done
if [ -n "${POOLER_PORT:-}" ]; then
    printf '"ak" "%s"\n' "$PASSWORD" >users
    # Two connections for each database, so that what is sent by one client soon reaches what another has left behind.
    cat >pooler.ini <<TEXT
[databases]
* = host=127.0.0.1 port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $POOLER_PORT
unix_socket_dir =
auth_type = plain
auth_file = $folder/users
pool_mode = transaction
default_pool_size = 2
max_client_conn = 500
TEXT
    /usr/sbin/pgbouncer pooler.ini >log 2>&1 </dev/null &
    pooler=$!
    until "$bin/pg_isready" --quiet --host=127.0.0.1 --port="$POOLER_PORT"; do
        kill -0 "$pooler" 2>/dev/null || { cat log >&2; exit 1; }
        sleep 0.02
    done
fi
echo ready
cat >/dev/null
