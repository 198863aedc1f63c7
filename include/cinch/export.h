#ifndef CINCH_EXPORT_H
#define CINCH_EXPORT_H

/*
 * CINCH_API marks what libcinch exports; everything else is hidden.
 * CINCH_MUST_USE makes the compiler warn when a result is dropped.
 * CINCH_PRINTF(f, a) lets the compiler check a format string: argument f is
 * the format, argument a the first value.
 * CINCH_BEGIN_DECLS and CINCH_END_DECLS give declarations C linkage in C++.
 */

#if defined(__GNUC__) || defined(__clang__)
#define CINCH_API __attribute__((visibility("default")))
#define CINCH_MUST_USE __attribute__((warn_unused_result))
#define CINCH_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define CINCH_API
#define CINCH_MUST_USE
#define CINCH_PRINTF(f, a)
#endif

#ifdef __cplusplus
#define CINCH_BEGIN_DECLS extern "C" {
#define CINCH_END_DECLS }
#else
#define CINCH_BEGIN_DECLS
#define CINCH_END_DECLS
#endif

#endif
