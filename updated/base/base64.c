#include <openssl/evp.h>

#include "base/base64.h"

#define BASE64_MAX ((size_t)GIB) /* OpenSSL counts with int */

int base64_encode(const void *data, size_t size, char **ret)
{
        char *text;

        if (size > BASE64_MAX)
                return -EFBIG;
        text = malloc((size + 2) / 3 * 4 + 1);
        if (!text)
                return -ENOMEM;

        (void)EVP_EncodeBlock((unsigned char *)text, data, (int)size); /* can not fail */
        *ret = text;
        return 0;
}

int base64_decode(const char *text, char **ret, size_t *ret_size)
{
        _cleanup_free_ char *data = NULL, *again = NULL;
        size_t length = strlen(text), size = length / 4 * 3;
        int r;

        if (length > BASE64_MAX)
                return -EFBIG;
        if (length % 4 != 0)
                return -EBADMSG;
        data = malloc(size + 1);
        if (!data)
                return -ENOMEM;

        if (length > 0
            && EVP_DecodeBlock((unsigned char *)data, (const unsigned char *)text, (int)length) < 0)
                return -EBADMSG;
        for (size_t i = length; i > 0 && i + 2 > length && text[i - 1] == '='; i--)
                size--;
        data[size] = 0;

        /* OpenSSL forgives blanks around it and stray bits in the last letter. */
        r = base64_encode(data, size, &again);
        if (r < 0)
                return r;
        if (!streq(again, text))
                return -EBADMSG;

        *ret = TAKE_PTR(data);
        *ret_size = size;
        return 0;
}
