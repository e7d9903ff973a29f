package engine

import (
	"math/rand/v2"
	"testing"
)

// newRand returns a generator whose seed is printed where the test fails.
func newRand(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}
