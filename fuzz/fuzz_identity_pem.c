/* Any bytes as the PEM of an identity, also with the password that the corpus was made with. */
#include <cinch/identity.h>

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;

    cinch_identity_free(cinch_identity_pem(data, size, "secret", &err));
    cinch_error_clear(&err);
    /* The first half as the certificates, the second as the key. */
    cinch_identity_free(
        cinch_identity_load(&(cinch_identity_source){.pem = data,
                                                     .pem_size = size / 2,
                                                     .key_pem = data + size / 2,
                                                     .key_pem_size = size - size / 2},
                            &err));
    return 0;
}
