#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/text.h"
#include "host-id.h"

#define ID_SIZE ((size_t)(HOST_ID_HEX / 2))

/* The application id of Zincati, which all clients of FleetLock servers use. */
static const uint8_t fleetlock_app[ID_SIZE] = {
        0xde, 0x35, 0x10, 0x6b, 0x6e, 0xc2, 0x46, 0x88,
        0xb6, 0x3a, 0xfd, 0xda, 0xa1, 0x56, 0x67, 0x9b,
};

static int digit_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EBADMSG;
}

static int id_decode(const char *text, uint8_t bytes[static ID_SIZE])
{
        if (strlen(text) != HOST_ID_HEX)
                return -EBADMSG;
        for (size_t i = 0; i < ID_SIZE; i++) {
                int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EBADMSG;
                bytes[i] = (uint8_t)(high << 4 | low);
        }
        return 0;
}

int host_id_for_fleetlock(const char *machine_id, char **ret)
{
        uint8_t key[ID_SIZE], digest[EVP_MAX_MD_SIZE];
        unsigned n;
        int r;

        r = id_decode(machine_id, key);
        if (r < 0)
                return r;
        if (!HMAC(EVP_sha256(), key, (int)sizeof(key), fleetlock_app, sizeof(fleetlock_app), digest,
                  &n)
            || n < ID_SIZE)
                return -ENOMEM;

        digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x40); /* as a UUID of version 4 */
        digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
        return hex_encode(digest, ID_SIZE, ret);
}
