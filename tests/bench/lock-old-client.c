#include "lock-old-client.h"
#include "locksmith/semaphore.h"

static void on_written(const LockReply *reply, void *userdata)
{
        OldClient *client = userdata;

        switch (reply->answer) {
        case LOCK_ANSWER_WRITTEN:
                client->on_done(OLD_DONE, client->userdata);
                break;
        case LOCK_ANSWER_DOCUMENT:
                client->on_done(OLD_LOST, client->userdata);
                break;
        case LOCK_ANSWER_UNKNOWN:
        case LOCK_ANSWER_FAILED:
        case LOCK_ANSWER_BUSY: /* no answer to a swap */
                client->on_done(OLD_FAILED, client->userdata);
                break;
        }
}

static int client_write(OldClient *client, const Semaphore *semaphore, int64_t revision)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = semaphore_format(semaphore, &text);
        if (r < 0)
                return r;
        return lock_backend_swap(client->backend,
                                 &(LockSwap) { .text = text, .revision = revision }, on_written,
                                 client);
}

static void on_read(const LockReply *reply, void *userdata)
{
        _cleanup_(semaphore_done) Semaphore semaphore = SEMAPHORE_INITIAL;
        OldClient *client = userdata;
        const char *why;
        int r = 0;

        if (reply->answer == LOCK_ANSWER_DOCUMENT && reply->text)
                r = semaphore_parse(reply->text, reply->size, &semaphore, &why);
        if (reply->answer != LOCK_ANSWER_DOCUMENT || r < 0) {
                client->on_done(OLD_FAILED, client->userdata);
                return;
        }

        r = client->release ? semaphore_release(&semaphore, client->id)
                            : semaphore_take(&semaphore, client->id);
        if (r == -EBUSY)
                client->on_done(OLD_BUSY, client->userdata);
        else if (r <= 0)
                client->on_done(r == 0 ? OLD_DONE : OLD_FAILED, client->userdata);
        else if (client_write(client, &semaphore, reply->revision) < 0)
                client->on_done(OLD_FAILED, client->userdata);
}

int old_client_start(OldClient *client, bool release)
{
        client->release = release;
        return lock_backend_read(client->backend, on_read, client);
}
