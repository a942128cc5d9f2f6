#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(const void *data, size_t size, char **ret)
{
        const uint8_t *p = data;
        size_t length;
        char *text, *out;

        if (!add_size(size, 2, &length) || !mul_size(length / 3, 4, &length)
            || !add_size(length, 1, &length))
                return -EFBIG;
        text = out = malloc(length);
        if (!text)
                return -ENOMEM;

        for (size_t i = 0; i < size; i += 3) {
                size_t n = MIN_OF(size - i, (size_t)3);
                uint32_t bits = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0)
                                | (n > 2 ? p[i + 2] : 0);

                *out++ = alphabet[bits >> 18];
                *out++ = alphabet[bits >> 12 & 63];
                *out++ = n > 1 ? alphabet[bits >> 6 & 63] : '=';
                *out++ = n > 2 ? alphabet[bits & 63] : '=';
        }
        *out = 0;

        *ret = text;
        return 0;
}

/* The value of one digit, or negative. */
static int digit_value(char c)
{
        const char *found = c ? strchr(alphabet, c) : NULL;

        return found ? (int)(found - alphabet) : -EBADMSG;
}

/* Decodes four digits into at most three bytes. Returns how many bytes, or -EBADMSG. */
static int quantum_decode(const char text[static 4], bool last, char out[static 3])
{
        int n = last && text[3] == '=' ? (text[2] == '=' ? 1 : 2) : 3;
        uint32_t bits = 0;

        for (int i = 0; i < 4; i++) {
                int value = i <= n ? digit_value(text[i]) : 0;
                if (value < 0)
                        return value;
                bits = bits << 6 | (uint32_t)value;
        }
        if ((n == 1 && bits & 0xffff) || (n == 2 && bits & 0xff))
                return -EBADMSG; /* not canonical: bits that no encoder sets */

        out[0] = (char)(bits >> 16);
        out[1] = (char)(bits >> 8);
        out[2] = (char)bits;
        return n;
}

int base64_decode(const char *text, char **ret, size_t *ret_size)
{
        size_t length = strlen(text), size = 0;
        _cleanup_free_ char *data = NULL;

        if (length % 4 != 0)
                return -EBADMSG;
        data = malloc(length / 4 * 3 + 1);
        if (!data)
                return -ENOMEM;

        for (size_t i = 0; i < length; i += 4) {
                int n = quantum_decode(text + i, i + 4 == length, data + size);
                if (n < 0)
                        return n;
                size += (size_t)n;
        }
        data[size] = 0;

        *ret = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}
