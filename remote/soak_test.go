//go:build soak

package remote

import "testing"

// What takes minutes: go test -tags soak -timeout 2h -run Soak ./remote

func TestSoakProgramsThatExitAtOnceLoseNothing(t *testing.T) { exitsAtOnce(t, 100_000) }

func TestSoakStdinOfAGibibyteArrivesWhole(t *testing.T) { stdinArrivesWhole(t, 1<<30) }

func TestSoakTenGibibytesToAPausedReader(t *testing.T) { pausedReader(t, 10<<30) }

func TestSoakRunOverABreakingLine(t *testing.T) { breakingLine(t, 1000) }

func TestSoakRunWhoseServerIsKilled(t *testing.T) { killedServers(t, 200) }

func TestSoakGigabyteSurvivesItsLineAndItsServer(t *testing.T) { longRun(t, 1_000_000_000, 1000, 50) }

func TestSoakAttachAfterAKilledClient(t *testing.T) { killedClients(t, 100) }

func TestSoakFlippedByteUnderTLSIsNoticed(t *testing.T) {
	d, wrap := newDialer(t), overTLS(t)
	flipUnderTLS(t, d, wrap, recordSession(t, d, wrap), 1)
}
