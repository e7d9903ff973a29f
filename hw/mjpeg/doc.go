// Package mjpeg reads the luma of a JPEG picture without decoding it: the DC
// coefficient of each block, which is eight times the block's mean. All other
// coefficients are skipped, several of them a table look-up.
//
// It reads sequential Huffman pictures of 8 bits (ITU-T T.81, SOF0 and SOF1) in
// YCbCr or grey, as cameras send them. It knows no device, starts no goroutine
// and imports the standard library and engine/frame only.
//
// # How near it comes to a whole decoder
//
// The mean of a block is within 1 of that of the block's decoded samples where
// no sample is clipped to 0–255. Clipping changes a sample by at most its
// distance from the original, which was within 0–255, so it changes the mean by
// at most the block's root mean square quantisation error: with q the
// quantisation table, sqrt(Σq²)/16 of an encoder that rounds (3 at the standard
// quality of 95, 13 at 80, 33 at 50). Of the blocks of recorded clips fewer than
// one in a thousand differ by more than 1, by 4 at the coarsest quality
// (TestRealPictures).
//
// A block that the picture's right or bottom edge cuts is read as it was coded,
// with what the encoder filled it up with. Encoders repeat the last line and
// column; the mean of the pixels that exist differs by no more than these differ.
package mjpeg
