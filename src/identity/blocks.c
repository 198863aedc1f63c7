/* blocks.c: certificates and keys out of the blocks of a PEM text. */
#include "identity/parts.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <string.h>

/* Longer than "Proc-Type: 4,ENCRYPTED" and any "DEK-Info:" together. */
#define HEADER_SIZE 512

static int is_certificate(const char *label)
{
    return strcmp(label, "CERTIFICATE") == 0 || strcmp(label, "X509 CERTIFICATE") == 0 ||
           strcmp(label, "TRUSTED CERTIFICATE") == 0;
}

static int is_private_key(const char *label)
{
    size_t length = strlen(label);

    return length >= 11 && strcmp(label + length - 11, "PRIVATE KEY") == 0;
}

/* The bytes of the first element at DER, 0 if its head is damaged. May be more than there are. */
static size_t element_size(const unsigned char *der, size_t size)
{
    const unsigned char *at = der;
    long length = 0;
    int tag = 0, class = 0;
    int flags = ASN1_get_object(&at, &length, &tag, &class, (long)size);

    ERR_clear_error();
    /* 0x80 stands for "damaged" and for "longer than what is there"; LENGTH is set in the latter. */
    if (((flags & 0x80) != 0 && length == 0) || length < 0 || tag != V_ASN1_SEQUENCE)
        return 0;
    return (size_t)(at - der) + (size_t)length;
}

static cinch_status bad_certificate(cinch_error *err, const cinch_origin *origin,
                                    const cinch_pem_block *block, size_t wanted, size_t size)
{
    cinch_pem_fail(err, origin, block, block->line, "what is in it is not a certificate");
    if (wanted > size)
        cinch_fail_evidence(err, "\nit says that it is %zu bytes long, and %zu are there", wanted,
                            size);
    else
        cinch_fail_evidence(err, "\nits %zu bytes are not an X.509 certificate (RFC 5280, 4.1)",
                            size);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status read_certificate(const cinch_origin *origin, const cinch_pem_block *block,
                                     const unsigned char *der, size_t size,
                                     cinch_material *material, cinch_error *err)
{
    size_t wanted = element_size(der, size);
    /* OpenSSL writes what a trust store thinks of a certificate behind it; that is none of ours. */
    size_t used = strncmp(block->label, "TRUSTED", 7) == 0 && wanted <= size ? wanted : size;
    X509 *x = cinch_x509_read(der, used);

    if (x != NULL)
        return cinch_material_certificate(material, x, origin->name, err);
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "reading certificates");
    return bad_certificate(err, origin, block, wanted, size);
}

static cinch_status read_block(const cinch_origin *origin, const cinch_pem_block *block,
                               cinch_password *password, cinch_material *material, cinch_error *err)
{
    int is_key = is_private_key(block->label);
    size_t room = block->size + 1, size = 0;
    unsigned char *der = is_key ? cinch_secret_alloc(room) : cinch_alloc(room);
    char header[HEADER_SIZE];
    EVP_PKEY *key = NULL;

    if (der == NULL)
        return cinch_fail_memory(err, "reading PEM");
    cinch_status status = cinch_pem_decode(origin, block, der, &size, header, sizeof header, err);
    if (status == CINCH_OK && !is_key)
        status = read_certificate(origin, block, der, size, material, err);
    else if (status == CINCH_OK)
        status = cinch_key_read(origin, block, der, size, header, password, &key, err);
    if (status == CINCH_OK && is_key)
        status = cinch_material_key(material, key, origin->name, err);
    if (is_key)
        cinch_secret_free(der, room);
    else
        cinch_release(der);
    return status;
}

static void note_other(cinch_material *material, const cinch_pem_block *block)
{
    size_t used = strlen(material->others);

    snprintf(material->others + used, sizeof material->others - used, "%s%s (line %zu)",
             used > 0 ? ", " : "", block->label, block->line);
}

cinch_status cinch_pem_read(const cinch_origin *origin, int take, cinch_password *password,
                            cinch_material *material, cinch_error *err)
{
    cinch_pem_scan scan = {.origin = origin};
    cinch_pem_block block;
    cinch_status status;

    while ((status = cinch_pem_next(&scan, &block, err)) == CINCH_OK) {
        int wanted = 0;

        if (is_certificate(block.label)) {
            material->certificates_seen++;
            wanted = take & CINCH_TAKE_CERTIFICATES;
        } else if (is_private_key(block.label)) {
            material->keys_seen++;
            wanted = take & CINCH_TAKE_KEYS;
        } else {
            note_other(material, &block);
        }
        if (wanted != 0 &&
            (status = read_block(origin, &block, password, material, err)) != CINCH_OK)
            return status;
    }
    if (status != CINCH_EOF)
        return status;
    return scan.blocks == 0 ? cinch_fail_not_pem(err, origin) : CINCH_OK;
}
