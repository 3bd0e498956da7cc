#!/bin/bash
# An S3 service that refuses wrong keys and keeps its data: one node of Ceph with its object gateway.
# Users are made here, because they must be there before the gateway is; their policies come from the init job.
set -euo pipefail
osd_uuid=22222222-3333-4444-5555-666666666666
fsid=$(awk '/^fsid/ {print $3}' /etc/ceph/ceph.conf)

make_cluster() {
    rm -rf /data/mon /data/osd
    mkdir -p /data/mon /data/osd
    ceph-authtool /tmp/keyring --create-keyring --gen-key -n mon. --cap mon 'allow *'
    ceph-authtool /tmp/keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    monmaptool --create --clobber --addv a '[v2:127.0.0.1:3300]' --fsid "$fsid" /tmp/monmap
    ceph-mon --mkfs -i a --monmap /tmp/monmap --keyring /tmp/keyring
}

make_osd() {
    ceph osd new "$osd_uuid"
    ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid"
    ceph osd crush add-bucket node host
    ceph osd crush move node root=default
    ceph osd crush add osd.0 1.0 host=node
}

make_user() {
    local name=$1 secret=$2
    shift 2
    radosgw-admin user create --uid "$name" --display-name "$name" --access-key "$name" --secret "$secret" "$@" >/dev/null
}

make_users() {
    make_user canopy "$(cat "$MINIO_ROOT_PASSWORD_FILE")" --caps 'users=*;user-policy=*;buckets=*'
    jq -r '.s3 | to_entries[] | "\(.key) \(.value)"' /run/secrets/passwords.json | while read -r name secret; do
        make_user "$name" "$secret" --max-buckets=-1
    done
}

fresh=false
[ -e /data/made ] || fresh=true
$fresh && make_cluster
ceph-mon -f -i a &
until timeout 5 ceph -s >/dev/null 2>&1; do sleep 0.3; done
$fresh && make_osd
$fresh || ceph osd down 0 # as far as the monitor knows, the one before is still there
ceph-osd -f -i 0 &
until ceph osd stat | grep -q '1 up'; do sleep 0.3; done
$fresh && make_users && touch /data/made
radosgw -f -n client.rgw.dev &
trap 'kill $(jobs -p); wait; exit 0' TERM
wait -n # one of the three without the others is no store
exit 1
