#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "payload/payload-tool.h"

static const char *key_problem(int r, bool private)
{
        switch (r) {
        case -EBADMSG:
                return private ? "there is no private key in it that can be read"
                               : "there is no public key in it; of a private one it is made with: "
                                 "openssl pkey -in PRIVATE.pem -pubout";
        case -ENOPKG:
                return "OpenSSL has no provider or engine for it: install libengine-pkcs11-openssl, or "
                       "sign elsewhere what \"payload digest\" prints";
        case -EKEYREJECTED:
                return "only RSA of 2048 to 16384 bits, Ed25519 and ECDSA P-256 are accepted";
        default:
                return strerror(-r);
        }
}

static int key_add(PayloadKeys *keys, const char *path)
{
        struct stat status;

        if (key_is_uri(path))
                return keys_add_uri(keys, path);
        if (stat(path, &status) < 0)
                return -errno;
        return S_ISDIR(status.st_mode) ? payload_keys_add_directory(keys, path)
                                       : payload_keys_add_file(keys, path);
}

int tool_load_keys(const TextList *paths, PayloadKeys **ret)
{
        _cleanup_(payload_keys_free_p) PayloadKeys *keys = NULL;
        int r;

        if (paths->n_items == 0)
                return program_usage("--key is missing: whose signature is to be trusted?");

        r = payload_keys_new(&keys);
        if (r < 0)
                return log_error_errno(r, "reading keys: %m");
        for (size_t i = 0; i < paths->n_items; i++) {
                r = key_add(keys, paths->items[i]);
                if (r < 0)
                        return log_error_return(r, "%s: %s", paths->items[i],
                                                key_problem(r, false));
        }
        if (payload_keys_count(keys) == 0)
                return log_error_return(-ENOKEY, "%s: there is no *.pem in it", paths->items[0]);

        *ret = TAKE_PTR(keys);
        return 0;
}

void private_keys_done(PrivateKeys *keys)
{
        for (size_t i = 0; i < keys->n_items; i++)
                private_key_free(keys->items[i]);
        *keys = (PrivateKeys) {};
}

int tool_load_private_keys(const TextList *paths, PrivateKeys *ret)
{
        _cleanup_(private_keys_done) PrivateKeys keys = {};
        int r;

        if (paths->n_items > SIGNATURES_MAX)
                return program_usage("--key: at most %d keys can sign", SIGNATURES_MAX);
        for (size_t i = 0; i < paths->n_items; i++) {
                r = private_key_load(paths->items[i], &keys.items[i]);
                if (r < 0)
                        return log_error_return(r, "%s: %s", paths->items[i], key_problem(r, true));
                keys.n_items++;
        }

        *ret = keys;
        keys = (PrivateKeys) {};
        return 0;
}

bool tool_same_file(const char *a, const char *b)
{
        struct stat one, other;

        return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev
               && one.st_ino == other.st_ino;
}

int tool_output_check(const char *path, const char *what)
{
        if (!path)
                return program_usage("--output is missing: where %s goes", what);
        if (streq(path, "-"))
                return program_usage("--output: %s goes to a file, not to standard output: parts "
                                     "of it are written last",
                                     what);
        return 0;
}

int tool_output_failed(const char *path, int r)
{
        switch (r) {
        case -ENOENT:
                return log_error_return(r, "%s: the directory for it is not there", path);
        case -EEXIST:
                return log_error_return(r, "%s: it is neither a regular file nor a block device",
                                        path);
        case -EWOULDBLOCK:
                return log_error_return(r, "%s.partial: another payload is writing it", path);
        default:
                return log_error_errno(r, "%s: %m", path);
        }
}

/* What to do about it, for those refusals where something can be done. */
static const char *refusal_hint(PayloadRefusal refusal)
{
        switch (refusal) {
        case PAYLOAD_REFUSAL_SIZE:
                return "Hint: the file is not what was published; download it again.";
        case PAYLOAD_REFUSAL_UNSIGNED:
                return "Hint: sign it with: payload sign FILE --key PRIVATE.pem --output SIGNED";
        case PAYLOAD_REFUSAL_SIGNATURE:
                return "Hint: --key must be the public key of those who made the payload; "
                       "\"payload info\" shows the ids of their keys.";
        case PAYLOAD_REFUSAL_BASE:
                return "Hint: --base and --kernel-base must be what the delta was made from.";
        case PAYLOAD_REFUSAL_TARGET_HASH:
                return "Hint: the medium may be failing (see dmesg), or the payload was made wrongly.";
        case PAYLOAD_REFUSAL_NONE:
        case PAYLOAD_REFUSAL_MAGIC:
        case PAYLOAD_REFUSAL_VERSION:
        case PAYLOAD_REFUSAL_MANIFEST:
        case PAYLOAD_REFUSAL_OPERATION_HASH_MISSING:
        case PAYLOAD_REFUSAL_OPERATION_HASH:
        case PAYLOAD_REFUSAL_OPERATION:
        case PAYLOAD_REFUSAL_HASH:
        case PAYLOAD_REFUSAL_TARGET_TOO_SMALL:
        case PAYLOAD_REFUSAL_TARGET_IO:
        case _PAYLOAD_REFUSAL_MAX:
                return NULL;
        }

        return NULL;
}

int tool_refused(const char *path, int code, PayloadError *error)
{
        const char *hint = refusal_hint(error->refusal);

        log_error("%s: %s", path, error->text ? error->text : strerror(-code));
        if (hint)
                fprintf(stderr, "%s\n", hint);
        payload_error_done(error);
        return code;
}

int tool_print_json(json_t *object)
{
        int r;

        if (!object)
                return log_error_errno(-ENOMEM, "writing JSON: %m");

        r = json_dumpf(object, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0 ? -EIO : 0;
        json_decref(object);
        program_answered();
        return r < 0 ? log_error_errno(r, "writing JSON: %m") : 0;
}

const char *sha256_format(const uint8_t sha256[static SHA256_SIZE], char buffer[static SHA256_TEXT])
{
        for (size_t i = 0; i < SHA256_SIZE; i++)
                (void)snprintf(buffer + 2 * i, 3, "%02x", sha256[i]);
        return buffer;
}
