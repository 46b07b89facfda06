module landline/bench

go 1.26.3

require (
	landline v0.0.0
	lukechampine.com/blake3 v1.4.1
)

require (
	github.com/creack/pty v1.1.24 // indirect
	github.com/hiddeco/sshsig v0.2.0 // indirect
	github.com/klauspost/cpuid/v2 v2.0.12 // indirect
	github.com/zeebo/blake3 v0.2.4 // indirect
	golang.org/x/crypto v0.58.0 // indirect
)

require (
	github.com/google/btree v1.1.2 // indirect
	golang.org/x/exp v0.0.0-20250711185948-6ae5c78190dc // indirect
	golang.org/x/sys v0.49.0
	golang.org/x/time v0.15.0 // indirect
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
)

replace landline => ..
