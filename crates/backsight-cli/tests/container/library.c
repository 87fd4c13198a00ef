unsigned WORK(unsigned x)
{
    for (int i = 0; i < 20000; i++)
        x = x * 1103515245 + 12345;
    return x;
}
