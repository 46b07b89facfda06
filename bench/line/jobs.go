package main

import "landline/bench/internal/rig"

// What is moved, and how often.
const (
	warmCalls  = 100
	bigSize    = 1 << 30
	smallFiles = 10_000
	smallSize  = 4096
)

// A group is one piece of work done by several programs.
type group struct {
	title  string
	amount float64 // of work a run, in units of unit
	unit   string  // of the rate; "" if there is none
	lead   float64 // how many times as fast as the best peer landline is to be
	times  int     // runs a round
	source string  // what $DST is to hold after a run, "" if nothing
	jobs   []*job
}

// A role is what a job is in its group's comparison.
type role int

const (
	scale role = iota // shown, not compared with the target
	peer
	ours
)

// A job is one way to do the work.
type job struct {
	name   string
	role   role
	server server
	before string // not timed
	line   string

	samples []rig.Sample
}

// A server is what answers a job.
type server int

const (
	none server = iota
	sshd
	landline
	fleet // a thousand addresses of landline's
)

// groups is everything there is to measure. $BIG and $SMALL are the sources, $DST
// an empty folder. The programs run as their users run them, but with the settings
// that are the best for them: AES-128-GCM, curve25519, no compression.
func groups() []*group {
	return []*group{
		{
			title: "Cold start, `true`", lead: 5, times: 5,
			jobs: []*job{
				{"landline run", ours, landline, "", "landline run $KEYS $HOST true", nil},
				{"ssh, curve25519", peer, sshd, "", "ssh -F $CONF 127.0.0.1 true", nil},
				{"ssh, default key exchange", scale, sshd, "", "ssh -F $CONF.kex 127.0.0.1 true", nil},
				{"true, no network", scale, none, "", "true", nil},
			},
		},
		{
			title: "Warm start, `true`", lead: 1.5, times: 5,
			jobs: []*job{
				{"landline run --keep", ours, landline, "", "landline run --keep 1m $KEYS $HOST true", nil},
				{"landline run, cold", scale, landline, "", "landline run $KEYS $HOST true", nil},
				{"ssh, ControlMaster", peer, sshd, "", "ssh -F $CONF.warm 127.0.0.1 true", nil},
				{"landline version", scale, none, "", "landline version", nil},
			},
		},
		{
			title: "100 times `true` on a connection that stands", lead: 2, times: 1, amount: warmCalls, unit: "calls/s",
			jobs: []*job{
				{"package remote", ours, landline, "", "$SELF -calls $HOST", nil},
				{"ssh, ControlMaster", peer, sshd, "", "i=0; while [ $i -lt 100 ]; do ssh -n -F $CONF.warm 127.0.0.1 true; i=$((i+1)); done", nil},
			},
		},
		{
			title: "`true` on 1,000 hosts", lead: 10, times: 1,
			amount: rig.FleetHosts, unit: "hosts/s",
			jobs: []*job{
				{"landline run", ours, fleet, "", "landline run --quiet $KEYS $FLEET true", nil},
				{"landline run --group", scale, fleet, "", "landline run --quiet --group $KEYS $FLEET true", nil},
				{"clush, 64 at a time", peer, sshd, "", "clush -q -f 64 -O ssh_options=-F$CONF -w $NODES true", nil},
				{"clush, 200 at a time", peer, sshd, "", "clush -q -f 200 -O ssh_options=-F$CONF -w $NODES true", nil},
			},
		},
		{
			title: "One file of 1 GiB, get", lead: 2, times: 1, source: "$BIG",
			amount: bigSize / 1e6, unit: "MB/s",
			jobs: []*job{
				{"landline get", ours, landline, "", "landline get $KEYS $HOST:$BIG $DST/", nil},
				{"scp", peer, sshd, "", "scp -q -F $CONF 127.0.0.1:$BIG $DST/", nil},
				{"sftp", peer, sshd, "", "sftp -q -F $CONF 127.0.0.1:$BIG $DST/", nil},
				{"rsync", peer, sshd, "", "rsync 127.0.0.1:$BIG $DST/", nil},
				{"ssh cat", scale, sshd, "", "ssh -F $CONF 127.0.0.1 cat $BIG >$DST/big", nil},
				{"nc, in the clear", scale, none, listen, "nc -d 127.0.0.1 $PORT >$DST/big", nil},
				{"cp", scale, none, "", "cp $BIG $DST/", nil},
			},
		},
		{
			title: "One file of 1 GiB, put", lead: 2, times: 1, source: "$BIG",
			amount: bigSize / 1e6, unit: "MB/s",
			jobs: []*job{
				{"landline put", ours, landline, "", "landline put $KEYS $BIG $HOST:$DST/", nil},
				{"scp", peer, sshd, "", "scp -q -F $CONF $BIG 127.0.0.1:$DST/", nil},
				{"sftp", peer, sshd, "", "echo put $BIG $DST/ | sftp -q -b - -F $CONF 127.0.0.1", nil},
				{"rsync", peer, sshd, "", "rsync $BIG 127.0.0.1:$DST/", nil},
			},
		},
		{
			title: "10,000 small files of 4 KiB, get", lead: 2, times: 1, source: "$SMALL",
			amount: smallFiles, unit: "files/s",
			jobs: []*job{
				{"landline get", ours, landline, "", "landline get $KEYS $HOST:$SMALL $DST/", nil},
				{"rsync -a", peer, sshd, "", "rsync -a 127.0.0.1:$SMALL $DST/", nil},
				{"ssh tar", scale, sshd, "", "ssh -F $CONF 127.0.0.1 tar -C $DIR -cf - small | tar -C $DST -xf -", nil},
				{"scp -r", scale, sshd, "", "scp -q -r -F $CONF 127.0.0.1:$SMALL $DST/", nil},
				{"tar, local pipe", scale, none, "", "tar -C $DIR -cf - small | tar -C $DST -xf -", nil},
				{"cp -r", scale, none, "", "cp -r $SMALL $DST/", nil},
			},
		},
		{
			title: "10,000 small files of 4 KiB, put", lead: 2, times: 1, source: "$SMALL",
			amount: smallFiles, unit: "files/s",
			jobs: []*job{
				{"landline put", ours, landline, "", "landline put $KEYS $SMALL $HOST:$DST/", nil},
				{"rsync -a", peer, sshd, "", "rsync -a $SMALL 127.0.0.1:$DST/", nil},
				{"ssh tar", scale, sshd, "", "tar -C $DIR -cf - small | ssh -F $CONF 127.0.0.1 tar -C $DST -xf -", nil},
				{"scp -r", scale, sshd, "", "scp -q -r -F $CONF $SMALL 127.0.0.1:$DST/", nil},
			},
		},
	}
}

// listen has nc offer the file, and waits until the port is in LISTEN (0A).
const listen = `nc -l -N 127.0.0.1 $PORT <$BIG >/dev/null 2>&1 &
i=0; until grep -q ":$PORTHEX 00000000:0000 0A" /proc/net/tcp; do sleep 0.01; i=$((i+1)); [ $i -lt 500 ] || exit 1; done`
