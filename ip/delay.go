package ip

import (
	"math/rand/v2"
	"time"
)

// randomTime returns a random time from a up to b.
func randomTime(random *rand.Rand, a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(random.Int64N(int64(b-a)+1))
}
