#!/bin/bash
# What the official image's entrypoint does, as far as compose.yaml needs it.
set -euo pipefail
data=/var/lib/mysql
if [ ! -d "$data/mysql" ]; then
    chown mysql:mysql "$data"
    mysqld --initialize-insecure --user=mysql --datadir="$data"
    password=$(cat "$MYSQL_ROOT_PASSWORD_FILE")
    install -o mysql -m 0600 /dev/null /tmp/init.sql
    printf "alter user 'root'@'localhost' identified by '%s';\ncreate user 'root'@'%%' identified by '%s';\n" "$password" "$password" >/tmp/init.sql
    printf "grant all on *.* to 'root'@'%%' with grant option;\n" >>/tmp/init.sql
    set -- --init-file=/tmp/init.sql "$@"
fi
exec mysqld --user=mysql --datadir="$data" --bind-address=0.0.0.0 --mysqlx=OFF "$@"
