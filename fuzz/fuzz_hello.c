/*
 * A ClientHello as a callback of cinch_context_choose() sees it: any bytes are refused or give lists
 * without GREASE, protocols without a NUL, and a fingerprint of the right form.
 */
#include "base/memory.h"
#include "context/hosts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_numbers(cinch_numbers list, size_t size)
{
    must(list.count <= size);
    for (size_t i = 0; i < list.count; i++)
        must((list.numbers[i] & 0x0f0f) != 0x0a0a ||
             list.numbers[i] >> 8 != (list.numbers[i] & 0xff));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_client_hello *hello = cinch_hello_view_new(data, size, "www.example.com");
    size_t texts = 0;

    if (hello == NULL)
        return 0;
    check_numbers(hello->suites, size);
    check_numbers(hello->groups, size);
    check_numbers(hello->sigalgs, size);
    check_numbers(hello->extensions, size);
    must(hello->versions.count <= size + 1);
    for (size_t i = 0; hello->alpn[i] != NULL; i++) {
        texts += strlen(hello->alpn[i]) + 1;
        must(hello->alpn[i][0] != 0);
    }
    must(texts <= size);
    must(strlen(hello->ja4) == CINCH_JA4_TEXT - 1);
    must(hello->ja4[10] == '_' && hello->ja4[23] == '_');
    must(strcmp(hello->server_name, "www.example.com") == 0);
    cinch_release(hello);
    return 0;
}
