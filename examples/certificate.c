/* certificate.c: reads one certificate in DER from standard input and says what it is for. */
#include <cinch/cinch.h>
#include <stdio.h>

int main(void)
{
    static const char *const kinds[] = {"", "DNS", "IP", "email", "URI", "other"};
    static unsigned char der[65536];
    cinch_error err = CINCH_ERROR_INIT;
    char pem[100000];

    cinch_certificate *c = cinch_certificate_der(der, fread(der, 1, sizeof der, stdin), &err);
    if (c != NULL) {
        printf("subject %s\nissuer  %s\nkey     %s %s, %d bits\n", c->subject, c->issuer,
               c->key_type, c->key_group, c->key_bits);
        for (size_t i = 0; i < c->name_count; i++)
            printf("%-7s %s\n", kinds[c->names[i].kind], c->names[i].text);
        if (cinch_certificate_pem(c, pem, sizeof pem) < sizeof pem)
            fputs(pem, stdout);
    }
    cinch_certificate_free(c);
    return cinch_error_report(&err, stderr);
}
