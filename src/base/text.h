/* text.h: texts that strangers wrote, made fit for people's eyes and terminals. */
#ifndef CINCH_BASE_TEXT_H
#define CINCH_BASE_TEXT_H

#include <stddef.h>

/*
 * cinch_text_clean copies SIZE bytes of IN to OUT (at most OUT_SIZE bytes with the NUL): valid UTF-8
 * stays, control characters, bidirectional overrides and invalid bytes become \xNN; line ends stay
 * if KEEP_LINES. What does not fit is cut at a character and "..." put there. Returns the length.
 */
size_t cinch_text_clean(char *out, size_t out_size, const void *in, size_t size, int keep_lines);

/*
 * cinch_text_hex writes SIZE bytes of IN as lower-case hexadecimal into OUT, as many as fit, with
 * SEPARATOR between bytes if it is not 0. Returns OUT.
 */
char *cinch_text_hex(char *out, size_t out_size, const void *in, size_t size, char separator);

#endif
